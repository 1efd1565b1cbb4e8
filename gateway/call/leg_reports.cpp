#include "call/leg.hpp"
#include "sip/syntax.hpp"

#include <algorithm>
#include <utility>

// NOTIFYs about the peer's REFERs (RFC 3515 §2.4.4, RFC 6665 §4.2). One is on its way at a time:
// two could overtake each other, and the later one has all that the earlier had to say.
namespace trunkline::call {

using sip::HeaderName;
using sip::Method;

void Leg::begin_reports(std::uint32_t refer, TimePoint until) {
  if (!reports.first) reports.first = refer;
  reports.open = refer;
  reports.until = until;
  reports.told.clear();
}

void Leg::report(Turn& turn, std::uint32_t refer, std::string line, std::string_view over) {
  if (reports.open != refer || (over.empty() && line == reports.told)) return;
  reports.told = line;
  if (!over.empty()) reports.open.reset();
  std::erase_if(reports.waiting, [refer](const Notice& notice) { return notice.refer == refer; });
  reports.waiting.push_back({refer, std::move(line), over});
  send_report(turn);
}

void Leg::send_report(Turn& turn) {
  if (reports.sent || reports.waiting.empty()) return;
  const Notice notice = std::move(reports.waiting.front());
  reports.waiting.erase(reports.waiting.begin());
  reports.sent = notice.refer;
  sip::Message request = dialog->request(Method::notify);
  request.add(HeaderName::contact, contact(turn.node));
  // RFC 3515 §2.4.6: the first may do without the id, all others can't be told apart without it.
  const bool first = notice.refer == reports.first;
  request.add(HeaderName::event, first ? "refer" : "refer;id=" + std::to_string(notice.refer));
  const auto left = std::chrono::ceil<seconds>(reports.until - turn.at.now).count();
  request.add(HeaderName::subscription_state,
              notice.end.empty()
                  ? "active;expires=" + std::to_string(std::max<std::int64_t>(left, 1))
                  : "terminated;reason=" + std::string(notice.end));
  if (digest) digest->preload(request);
  request.set_body("message/sipfrag;version=2.0", notice.line + "\r\n");
  send(turn, Purpose::notify, std::move(request));
}

void Leg::report_answered(Turn& turn, int status) {
  if (!reports.sent) return;
  const std::uint32_t refer = *std::exchange(reports.sent, std::nullopt);
  if (status < 200 || status >= 300) {
    // RFC 6665 §4.2.2: who refuses a NOTIFY, or does not answer, wants no more of them.
    std::erase_if(reports.waiting, [refer](const Notice& one) { return one.refer == refer; });
    if (reports.open == refer) reports.open.reset();
  }
  send_report(turn);
  if (!bye_waits_for_notify || reports.pending()) return;
  bye_waits_for_notify = false;
  send_bye(turn, bye_reason);
}

}  // namespace trunkline::call
