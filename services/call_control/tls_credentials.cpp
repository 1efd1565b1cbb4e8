#include "call_control/tls_credentials.hpp"

#include "base/log.hpp"

#include <chrono>
#include <fstream>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <sstream>

namespace trunkline::call_control {
namespace {

using std::chrono::system_clock;

std::int64_t unix_seconds(const TlsMaterial& material) {
  return material.expires ? system_clock::to_time_t(*material.expires) : 0;
}

Result<std::string> read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) return fail("can't read " + path);
  return text.str();
}

grpc_ssl_server_certificate_config* config_of(const TlsMaterial& material) {
  const grpc_ssl_pem_key_cert_pair pair{material.key.c_str(), material.certificate.c_str()};
  // gRPC 1.51 asserts that there are roots, although nobody is asked for a certificate then.
  const std::string& roots =
      material.authorities.empty() ? material.certificate : material.authorities;
  return grpc_ssl_server_certificate_config_create(roots.c_str(), &pair, 1);
}

/// gRPC's own credentials with a certificate that changes: in C++ it offers that only with files
/// that it reads, and takes, by itself.
class ChangingCredentials final : public grpc::ServerCredentials {
 public:
  ChangingCredentials(std::shared_ptr<ApiCertificate> certificate,
                      grpc_ssl_client_certificate_request_type request)
      : certificate_(std::move(certificate)),
        native_(grpc_ssl_server_credentials_create_with_options(
            grpc_ssl_server_credentials_create_options_using_config_fetcher(
                request, &ChangingCredentials::fetch, certificate_.get()))) {}
  ~ChangingCredentials() override { grpc_server_credentials_release(native_); }
  ChangingCredentials(const ChangingCredentials&) = delete;
  ChangingCredentials& operator=(const ChangingCredentials&) = delete;

  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), native_);
  }
  static grpc_ssl_certificate_config_reload_status fetch(
      void* certificate, grpc_ssl_server_certificate_config** config) {
    const auto fresh = static_cast<ApiCertificate*>(certificate)->take_new();
    if (!fresh) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    *config = config_of(*fresh);
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  const std::shared_ptr<ApiCertificate> certificate_;
  grpc_server_credentials* const native_;
};

}  // namespace

ApiCertificate::ApiCertificate(std::string listener, TlsFileWatch files, TlsMaterial material)
    : listener_(std::move(listener)),
      files_(std::move(files)),
      fresh_(std::move(material)),
      expires_(unix_seconds(*fresh_)) {}

std::optional<TlsMaterial> ApiCertificate::take_new() {
  const std::scoped_lock lock(mutex_);
  if (fresh_) return std::exchange(fresh_, std::nullopt);
  auto found = files_.look(system_clock::now());
  if (!found) return std::nullopt;
  if (!*found) {
    refused_.fetch_add(1, std::memory_order_relaxed);
    log::error("changed TLS files are of no use: those before stay",
               {{"listener", listener_}, {"why", found->error().wrong}});
    return std::nullopt;
  }
  loaded_.fetch_add(1, std::memory_order_relaxed);
  expires_.store(unix_seconds(**found), std::memory_order_relaxed);
  log::info("TLS files loaded again",
            {{"listener", listener_}, {"expires", utc_text(*(*found)->expires)}});
  return std::move(**found);
}

void ApiCertificate::collect(MetricSink& sink) const {
  sink.gauge("trunkline_certificate_expiry_timestamp_seconds",
             "When the certificate that is shown expires, Unix time.", {{"listener", listener_}},
             static_cast<double>(expires_.load(std::memory_order_relaxed)));
  for (const auto& [result, count] :
       {std::pair{"loaded", &loaded_}, std::pair{"refused", &refused_}}) {
    sink.counter("trunkline_certificate_reloads_total",
                 "Changes of TLS files that were taken, or refused for what they hold.",
                 {{"listener", listener_}, {"result", result}},
                 static_cast<double>(count->load(std::memory_order_relaxed)));
  }
}

Result<ServerTls> server_credentials(const Settings& settings) {
  if (!settings.tls) return ServerTls{grpc::InsecureServerCredentials(), nullptr};
  TlsFileWatch files(*settings.tls);
  auto material = read_tls_files(*settings.tls, system_clock::now());
  if (!material) return fail(material.error().wrong);
  auto request = GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE;
  if (!settings.tls->authorities.empty()) {
    // With tokens too, a client may show either.
    request = settings.tokens.empty() ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                                      : GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY;
  }
  auto certificate = std::make_shared<ApiCertificate>("grpc " + settings.bind.text(),
                                                      std::move(files), std::move(*material));
  return ServerTls{std::make_shared<ChangingCredentials>(certificate, request), certificate};
}

Result<std::shared_ptr<grpc::ChannelCredentials>> channel_credentials(
    const std::optional<PolicyTls>& tls) {
  if (!tls) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  const auto load = [](const std::string& path, std::string& into) -> Result<void> {
    if (path.empty()) return {};
    auto text = read(path);
    if (!text) return fail(text.error());
    into = std::move(*text);
    return {};
  };
  for (const auto& [path, into] : {std::pair{&tls->ca, &options.pem_root_certs},
                                   std::pair{&tls->certificate, &options.pem_cert_chain},
                                   std::pair{&tls->key, &options.pem_private_key}}) {
    if (const auto loaded = load(*path, *into); !loaded) return fail(loaded.error());
  }
  return grpc::SslCredentials(options);
}

}  // namespace trunkline::call_control
