#pragma once
#include "call/control.hpp"
#include "call/settings.hpp"
#include "sip/message.hpp"
#include "sip/uri.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace trunkline::call {

struct Trunk;

/// Of one call: how often it may be sent on, and what is kept of it.
inline constexpr std::uint32_t kMaxDiversions = 10;
inline constexpr std::size_t kMaxHistory = 20;

/// Who has sent a call on before it went where it goes: what Diversion (RFC 5806) and History-Info
/// (RFC 7044) say, and what is added when the gateway itself sends it on. The two tell the same: of
/// a call that came with one the other is made (RFC 7544). Values; URIs of peers are not kept, but
/// the numbers in them, which are shown at our domain.
class Diversions {
 public:
  /// One who has sent the call on.
  struct Diversion {
    std::string number{}, name{};
    std::string reason = "unknown";  ///< RFC 5806 §4: "user-busy", "no-answer" …
    std::uint32_t count = 1;         ///< by this one, so often
    std::uint32_t limit = 0;         ///< of all, as it says; 0: it does not
    bool hidden = false;             ///< asks that others don't learn of it
  };
  /// A place where the call was, or is to be.
  struct Place {
    std::string number{};
    std::string index{};    ///< "1.2.1"
    std::string mapped{};   ///< "mp=1", "rc=1.1" or "np=1.1": how it follows from another; or empty
    std::string cause{};    ///< of the retargeting that led here, as a URI parameter (RFC 4458)
    std::string outcome{};  ///< Reason of the response that ended it there (RFC 3326); or empty
    bool hidden = false;
  };

  Diversions() = default;
  /// Of an INVITE that came by this trunk, if it is one whose word about it is taken; the number is
  /// what was dialled, by the trunk's rules.
  static Diversions of(const Trunk& from, const sip::Message& invite, std::string_view dialled);
  /// Of a call that begins here.
  static Diversions to(std::string_view dialled);

  /// It has been sent on as often as it may be.
  bool exhausted() const;
  /// The one that was called sends the call on. The next place is one of another kind.
  void divert(Diversion by);
  /// The place that it was sent to last has ended it with this response.
  void failed(int status);
  /// The place is called by a trunk, with this Request-URI. What the trunk is told in the INVITE,
  /// by what it wants and is trusted with. `all_hidden`: the caller wants no place to be known.
  std::vector<HeaderField> enter(const Trunk& at, std::string_view number,
                                 const sip::Uri& request_uri, std::string_view domain,
                                 bool all_hidden);
  /// The place is called, and told nothing: a browser.
  void enter(std::string_view number);

  const std::vector<Diversion>& all() const { return diversions_; }  ///< the first one first
  const std::vector<Place>& history() const { return history_; }

 private:
  void read_diversions(const Trunk& from, const sip::Message& invite);
  void read_history(const Trunk& from, const sip::Message& invite);
  void tell_diversions(const Trunk& to, std::string_view domain,
                       std::vector<HeaderField>& fields) const;
  void tell_history(const Trunk& to, const sip::Uri& request_uri, std::string_view domain,
                    bool all_hidden, std::vector<HeaderField>& fields) const;
  void add(Place place);

  std::vector<Diversion> diversions_;
  std::vector<Place> history_;
  std::string dialled_;         ///< index of the place that we were asked to call
  std::uint32_t branches_ = 0;  ///< places that we have tried from there
  std::string cause_;           ///< why the next place is another one than was dialled
};

/// RFC 5806 §4's word for why a call goes on after this outcome of the present place.
std::string_view diversion_reason(int status);
/// Diversion of a 3xx: why its sender has sent the call on. Empty: it does not say.
std::string diversion_reason(const sip::Message& response);

}  // namespace trunkline::call
