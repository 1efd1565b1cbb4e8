#include "io/media_workers.hpp"

#include "base/log.hpp"

namespace trunkline::io {

Result<std::unique_ptr<MediaWorkers>> MediaWorkers::make(const MediaSettings& settings,
                                                         const media::PlaneSettings& plane,
                                                         Counters& counters) {
  if (settings.bind.empty()) return fail("no address for media: set media.bind");
  if (settings.workers == 0) return fail("media.workers must be at least 1");
  std::unique_ptr<MediaWorkers> all(new MediaWorkers(settings, counters));
  all->identities_.reserve(settings.workers);
  for (std::size_t i = 0; i < settings.workers; ++i) {
    auto identity = media::DtlsIdentity::make();
    if (!identity) return fail(identity.error());
    all->identities_.push_back(std::move(*identity));
    auto worker = MediaWorker::make(i, settings, plane, all->identities_.back(), all->wakeup_);
    if (!worker) return fail(worker.error());
    all->workers_.push_back(std::move(*worker));
  }
  all->posted_.resize(settings.workers);
  return all;
}

void MediaWorkers::start() {
  for (const auto& worker : workers_)
    worker->start();
}

void MediaWorkers::stop() {
  for (const auto& worker : workers_)
    worker->stop();
}

call::MediaResources MediaWorkers::resources() const {
  call::MediaResources resources;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    resources.workers.push_back(workers_[i]->resources());
    resources.workers.back().fingerprint = identities_[i].fingerprint();
  }
  for (std::size_t i = 0; i < settings_.bind.size(); ++i) {
    const IpAddress& bind = settings_.bind[i];
    resources.addresses.push_back(
        {bind, i < settings_.advertise.size() ? settings_.advertise[i] : bind});
  }
  resources.fingerprint = identities_.front().fingerprint();
  return resources;
}

Result<media::Fingerprint> MediaWorkers::renew_certificate(std::size_t worker) {
  auto identity = media::DtlsIdentity::make();
  if (!identity) return fail(identity.error());
  identities_.at(worker) = *identity;
  post({worker,
        media::AddIdentity{std::make_shared<const media::DtlsIdentity>(std::move(*identity))}});
  return identities_[worker].fingerprint();
}

void MediaWorkers::post(call::MediaCommand command) {
  if (command.worker >= workers_.size()) return;
  posted_[command.worker] = true;
  switch (workers_[command.worker]->post(std::move(command.command))) {
    case MediaWorker::Posted::sent:
      return;
    case MediaWorker::Posted::deferred:
      return counters_.commands_deferred.add();
    case MediaWorker::Posted::dropped:
      if (counters_.drops[IoDrop::media_command].get() == 0)
        log::error("media worker does not keep up");
      return counters_.drops[IoDrop::media_command].add();
  }
}

void MediaWorkers::notify() {
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    if (posted_[i]) workers_[i]->notify();
    posted_[i] = false;
  }
}

bool MediaWorkers::take(media::Event& event) {
  for (std::size_t tried = 0; tried < workers_.size(); ++tried) {
    if (workers_[next_]->take(event)) return true;
    next_ = (next_ + 1) % workers_.size();
  }
  return false;
}

void MediaWorkers::retry() {
  for (const auto& worker : workers_)
    worker->retry();
}

bool MediaWorkers::healthy(TimePoint now) const {
  for (const auto& worker : workers_) {
    if (!worker->healthy(now)) return false;
  }
  return true;
}

void MediaWorkers::collect(MetricSink& sink) const {
  std::size_t pairs = 0;
  for (const auto& worker : workers_) {
    worker->collect(sink);
    for (const auto& [ip, ports] : worker->resources().trunk_ports)
      pairs += ports.size();
  }
  sink.gauge("trunkline_media_ports_limit", "Trunk RTP port pairs that the node has.",
             {{"pool", "trunk"}}, static_cast<double>(pairs));
}

}  // namespace trunkline::io
