#pragma once
#include "call_control/server.hpp"
#include "call_control/status_details.hpp"
#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// Who may call what. Pure; any thread.
namespace trunkline::call_control {

/// The role that a method needs, by "Service.Method"; nothing for a name that is not of this API.
std::optional<Role> required_role(std::string_view method);
/// Every method of the API: "CallService.CreateCall" …
std::span<const std::string_view> all_methods();
std::string_view role_name(Role role);

/// What a client has shown of itself.
struct Credentials {
  std::optional<std::string_view> authorization;  ///< value of that header
  bool certificate = false;                       ///< a client certificate was verified
  std::vector<std::string_view> names;            ///< the certificate's
};

class Access {
 public:
  /// Fails, in words for an operator, if the address would be open to strangers.
  static Result<Access> make(const Settings& settings);

  /// Nothing if the client may call the method.
  std::optional<Rejection> refuse(std::string_view method, const Credentials& shown) const;
  /// Some token is known, and one is asked for.
  bool wants_token() const { return !tokens_.empty(); }
  /// The same for one who reads over the console's listener, which knows no client certificates.
  /// `local`: only programs of this machine can be asking; they need no token where the API needs
  /// none.
  std::optional<Rejection> refuse_console(std::string_view method,
                                          std::optional<std::string_view> authorization,
                                          bool local) const;

 private:
  static constexpr std::size_t kDigestSize = 32;
  using Digest = std::array<unsigned char, kDigestSize>;
  struct Token {
    Digest digest;
    std::vector<Role> roles;
  };
  Digest digest(std::string_view token) const;
  const Token* find(std::string_view token) const;
  bool certificate_may(Role role, const Credentials& shown) const;

  bool open_ = false;  ///< loopback without authentication
  bool certificates_ = false;
  Digest key_{};
  std::vector<Token> tokens_;
  std::vector<ClientSettings> clients_;
};

}  // namespace trunkline::call_control
