#include "sip/digest.hpp"

#include "sip/header.hpp"
#include "sip/syntax.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <memory>

namespace trunkline::sip {
namespace {

/// An auth-param (RFC 3261 §25.1), its value without quotes.
struct AuthParameter {
  std::string_view name;
  std::string value;
};

/// Walks `Digest name=value, ...`. Whether a value is quoted is not looked at: stacks differ in
/// qop, algorithm, nc and stale.
class AuthCursor {
 public:
  explicit AuthCursor(std::string_view text) : cursor_(text) {
    ok_ = equals_ignoring_case(cursor_.take_until(","), "Digest");
  }

  std::optional<AuthParameter> next() {
    while (ok_ && cursor_.take(',')) {
    }
    if (!ok_ || cursor_.at_end()) return std::nullopt;
    ok_ = false;
    AuthParameter parameter;
    parameter.name = cursor_.take_token();
    if (parameter.name.empty() || !cursor_.take('=')) return std::nullopt;
    if (cursor_.peek() == '"') {
      const std::string_view quoted = cursor_.take_quoted();
      if (quoted.empty()) return std::nullopt;
      parameter.value = unquote(quoted);
    } else {
      parameter.value = cursor_.take_until(",");
    }
    ok_ = cursor_.at_end() || cursor_.peek() == ',';
    if (!ok_) return std::nullopt;
    return parameter;
  }
  bool ok() const { return ok_; }

 private:
  Cursor cursor_;
  bool ok_ = false;
};

std::string_view algorithm_text(DigestAlgorithm algorithm) {
  switch (algorithm) {
    case DigestAlgorithm::md5:
      return "MD5";
    case DigestAlgorithm::sha256:
      return "SHA-256";
  }
  return "";
}

std::optional<DigestAlgorithm> parse_algorithm(std::string_view text) {
  if (equals_ignoring_case(text, "MD5")) return DigestAlgorithm::md5;
  if (equals_ignoring_case(text, "SHA-256")) return DigestAlgorithm::sha256;
  return std::nullopt;
}

bool lists_auth(std::string_view qop_options) {
  ListCursor list(qop_options);
  while (const auto option = list.next()) {
    if (equals_ignoring_case(*option, "auth")) return true;
  }
  return false;
}

const EVP_MD* message_digest(DigestAlgorithm algorithm) {
  switch (algorithm) {
    case DigestAlgorithm::md5:
      return EVP_md5();
    case DigestAlgorithm::sha256:
      return EVP_sha256();
  }
  return nullptr;
}

/// The parts joined by colons, hashed, in lower-case hex. Empty if the library refuses the
/// algorithm.
std::string hash(DigestAlgorithm algorithm, std::initializer_list<std::string_view> parts) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  bool good = context && EVP_DigestInit_ex(context.get(), message_digest(algorithm), nullptr) == 1;
  bool first = true;
  for (std::string_view part : parts) {
    if (!first) good = good && EVP_DigestUpdate(context.get(), ":", 1) == 1;
    good = good && EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1;
    first = false;
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (!good || EVP_DigestFinal_ex(context.get(), digest.data(), &size) != 1) return {};
  std::string text;
  text.reserve(std::size_t{size} * 2);
  for (unsigned int i = 0; i < size; ++i) {
    text.push_back(kHex[digest[i] >> 4]);
    text.push_back(kHex[digest[i] & 15]);
  }
  return text;
}

void append_quoted(std::string& text, std::string_view name, std::string_view value) {
  text.append(name).append("=").append(quote(value));
}

}  // namespace

Result<DigestChallenge> DigestChallenge::parse(std::string_view value) {
  DigestChallenge challenge;
  AuthCursor cursor(value);
  while (auto parameter = cursor.next()) {
    const auto is = [&](std::string_view name) {
      return equals_ignoring_case(parameter->name, name);
    };
    if (is("realm")) {
      challenge.realm = std::move(parameter->value);
    } else if (is("nonce")) {
      challenge.nonce = std::move(parameter->value);
    } else if (is("opaque")) {
      challenge.opaque = std::move(parameter->value);
    } else if (is("stale")) {
      challenge.stale = equals_ignoring_case(parameter->value, "true");
    } else if (is("algorithm")) {
      challenge.algorithm = parse_algorithm(parameter->value);
      challenge.unknown_algorithm = !challenge.algorithm;
    } else if (is("qop")) {
      challenge.qop_present = true;
      challenge.qop_auth = lists_auth(parameter->value);
    }
  }
  if (!cursor.ok()) return fail("not a Digest challenge");
  if (challenge.realm.empty() || challenge.nonce.empty())
    return fail("challenge without realm or nonce");
  return challenge;
}

std::string DigestChallenge::text() const {
  std::string text = "Digest ";
  append_quoted(text, "realm", realm);
  append_quoted(text, ", nonce", nonce);
  if (!opaque.empty()) append_quoted(text, ", opaque", opaque);
  if (algorithm) text.append(", algorithm=").append(algorithm_text(*algorithm));
  if (qop_auth) text += ", qop=\"auth\"";
  if (stale) text += ", stale=true";
  return text;
}

Result<DigestCredentials> DigestCredentials::parse(std::string_view value) {
  DigestCredentials credentials;
  AuthCursor cursor(value);
  bool unknown_qop = false;
  while (auto parameter = cursor.next()) {
    const auto is = [&](std::string_view name) {
      return equals_ignoring_case(parameter->name, name);
    };
    if (is("username")) {
      credentials.username = std::move(parameter->value);
    } else if (is("realm")) {
      credentials.realm = std::move(parameter->value);
    } else if (is("nonce")) {
      credentials.nonce = std::move(parameter->value);
    } else if (is("uri")) {
      credentials.uri = std::move(parameter->value);
    } else if (is("response")) {
      credentials.response = std::move(parameter->value);
    } else if (is("opaque")) {
      credentials.opaque = std::move(parameter->value);
    } else if (is("cnonce")) {
      credentials.cnonce = std::move(parameter->value);
    } else if (is("nc")) {
      credentials.nc = std::move(parameter->value);
    } else if (is("algorithm")) {
      credentials.algorithm = parse_algorithm(parameter->value);
      credentials.unknown_algorithm = !credentials.algorithm;
    } else if (is("qop")) {
      credentials.qop_auth = equals_ignoring_case(parameter->value, "auth");
      unknown_qop = !credentials.qop_auth;
    }
  }
  if (!cursor.ok()) return fail("not Digest credentials");
  if (unknown_qop) return fail("credentials with a qop that was not offered");
  const bool complete = !credentials.username.empty() && !credentials.realm.empty() &&
                        !credentials.nonce.empty() && !credentials.uri.empty() &&
                        !credentials.response.empty();
  if (!complete) return fail("incomplete credentials");
  return credentials;
}

std::string DigestCredentials::text() const {
  std::string text = "Digest ";
  append_quoted(text, "username", username);
  append_quoted(text, ", realm", realm);
  append_quoted(text, ", nonce", nonce);
  append_quoted(text, ", uri", uri);
  append_quoted(text, ", response", response);
  if (algorithm) text.append(", algorithm=").append(algorithm_text(*algorithm));
  if (!opaque.empty()) append_quoted(text, ", opaque", opaque);
  if (qop_auth) {
    append_quoted(text, ", cnonce", cnonce);
    text.append(", qop=auth, nc=").append(nc);
  }
  return text;
}

std::string digest_ha1(DigestAlgorithm algorithm, std::string_view user, std::string_view realm,
                       std::string_view password) {
  return hash(algorithm, {user, realm, password});
}

std::string digest_response(const DigestCredentials& credentials, std::string_view ha1,
                            std::string_view method) {
  const DigestAlgorithm algorithm = credentials.algorithm.value_or(DigestAlgorithm::md5);
  const std::string ha2 = hash(algorithm, {method, credentials.uri});
  if (!credentials.qop_auth) return hash(algorithm, {ha1, credentials.nonce, ha2});
  return hash(algorithm, {ha1, credentials.nonce, credentials.nc, credentials.cnonce, "auth", ha2});
}

}  // namespace trunkline::sip
