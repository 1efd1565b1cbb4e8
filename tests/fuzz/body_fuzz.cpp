#include "sip/body.hpp"
#include "sip/header.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

// Any octets as a body of several parts. The first octet says of which kind it is and how it is to
// be handled, so that the fuzzer need not find out the boundary.
namespace trunkline::sip {
namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check(const Message& message) {
  const BodyReading reading = read_body(message);
  const std::string_view body = message.body();
  if (reading.verdict == BodyReading::Verdict::malformed) {
    require(reading.description.empty());
  } else if (!reading.description.empty()) {
    require(reading.description.data() >= body.data() &&
            reading.description.data() + reading.description.size() <= body.data() + body.size());
  }
  // What is read does not depend on where the message lies.
  const Message copy = message;
  const BodyReading again = read_body(copy);
  require(again.verdict == reading.verdict && again.description == reading.description);
}

void check_parts(std::uint8_t choice, std::string_view body) {
  static constexpr const char* kKinds[] = {"mixed", "alternative", "related", "x"};
  Message message = Message::request(Method::invite, "sip:a@b");
  if ((choice & 4) != 0) message.add(HeaderName::content_disposition, "session;handling=optional");
  message.set_body("multipart/" + std::string(kKinds[choice & 3]) + ";boundary=b", body);
  check(message);
  // Whatever it is: as an optional part beside a description it spoils nothing but the whole.
  std::string around = "--outer\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--outer\r\n";
  around.append(body).append("\r\n--outer--\r\n");
  message.set_body("multipart/mixed;boundary=outer", around);
  check(message);
  const BodyReading reading = read_body(message);
  require(reading.verdict == BodyReading::Verdict::malformed || reading.description == "v=0" ||
          reading.description.empty());
}

}  // namespace
}  // namespace trunkline::sip

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  trunkline::sip::check_parts(data[0], text);
  return 0;
}
