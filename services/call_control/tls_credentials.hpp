#pragma once
#include "base/metrics.hpp"
#include "base/tls_files.hpp"

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>

#include "call_control/policy.hpp"
#include "call_control/server.hpp"
#include <atomic>
#include <memory>
#include <mutex>
#include <string>

namespace trunkline::call_control {

/// The certificate that the API shows, as it is in its files now. Any thread.
class ApiCertificate final : public MetricSource {
 public:
  ApiCertificate(std::string listener, TlsFileWatch files, TlsMaterial material);

  /// What the next handshake takes, if the files have changed and can be used. The first call gives
  /// what was read at the start.
  std::optional<TlsMaterial> take_new();
  void collect(MetricSink& sink) const override;

 private:
  const std::string listener_;
  std::mutex mutex_;
  TlsFileWatch files_;
  std::optional<TlsMaterial> fresh_;
  std::atomic<std::int64_t> expires_, loaded_{0}, refused_{0};
};

struct ServerTls {
  std::shared_ptr<grpc::ServerCredentials> credentials;
  std::shared_ptr<ApiCertificate> certificate;  ///< null: no TLS
};
/// Plain, or TLS from files that are looked at again with each handshake: what is connected stays,
/// and what is of no use is not taken. Fails, in words for an operator, if a file can't be used
/// now.
Result<ServerTls> server_credentials(const Settings& settings);
Result<std::shared_ptr<grpc::ChannelCredentials>> channel_credentials(
    const std::optional<PolicyTls>& tls);

}  // namespace trunkline::call_control
