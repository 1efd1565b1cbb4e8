#include "journal.hpp"

#include "sip/header.hpp"
#include "sip/parser.hpp"

#include "description.hpp"
#include <cstdio>

namespace trunkline::simulator {
namespace {

/// Enough of a Call-ID or tag to tell it from the others of a run.
constexpr std::size_t kShort = 6;

std::string brief(const sip::Message& message) {
  std::string text = message.is_request()
                         ? std::string(message.method_text())
                         : std::to_string(message.status()) + " " + std::string(message.reason());
  const sip::CSeq cseq = sip::cseq_of(message);
  text += " (" + std::to_string(cseq.number);
  if (message.is_response()) text += " " + cseq.method_text;
  text += ") call " + std::string(sip::call_id_of(message).substr(0, kShort)) + " from " +
          std::string(sip::from_of(message).tag().substr(0, kShort)) + " to " +
          std::string(sip::to_of(message).tag().substr(0, kShort));
  if (const auto session = message.header(sip::HeaderName::session_expires))
    text += " SE " + std::string(*session);
  if (const auto reason = message.header(sip::HeaderName::reason))
    text += " reason " + std::string(*reason);
  if (!message.body().empty()) {
    if (const auto sdp = Description::read(message.body())) {
      text += " sdp v" + std::to_string(sdp->version) + " " + sdp->direction + " " + sdp->formats();
    } else {
      text += " body " + std::to_string(message.body().size());
    }
  }
  return text;
}

}  // namespace

void Journal::violation(std::string what) {
  if (traced_) line("*** " + what);
  violations_.push_back(std::move(what));
}

void Journal::line(std::string_view text) const {
  const double at = std::chrono::duration<double>(agenda_.now().time_since_epoch()).count() - 1000;
  std::printf("%10.3f  %.*s\n", at, static_cast<int>(text.size()), text.data());
}

void Journal::note(std::string_view what) const {
  if (traced_) line("-- " + std::string(what));
}

void Journal::message(std::string_view from, std::string_view to, std::string_view bytes,
                      std::string_view fate) const {
  if (!traced_) return;
  const auto parsed = sip::Parser().parse(std::string(bytes), sip::Framing::datagram);
  std::string text(from);
  text.append(" -> ").append(to).append("  ");
  text += parsed ? brief(*parsed) : "unreadable";
  if (!fate.empty()) text.append("  [").append(fate).append("]");
  line(text);
}

}  // namespace trunkline::simulator
