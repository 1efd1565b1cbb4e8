// A SIP message read and written: ns and allocations of each. Parsing keeps the message's own text
// and allocates nothing but the list of its fields.
#include "sip/header.hpp"
#include "sip/parser.hpp"

#include <benchmark/benchmark.h>
#include <cstdlib>
#include <new>
#include <string>

namespace {

std::size_t allocations = 0;

}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace {

using namespace trunkline::sip;

std::string invite() {
  const std::string description =
      "v=0\r\no=- 4611 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
      "m=audio 52811 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\nc=IN IP4 192.0.2.40\r\n"
      "a=candidate:2891374410 1 udp 2122260223 192.0.2.40 52811 typ host generation 0\r\n"
      "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\na=setup:actpass\r\na=mid:0\r\n"
      "a=sendrecv\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\na=rtpmap:0 PCMU/8000\r\n";
  return "INVITE sip:2000@example.test SIP/2.0\r\n"
         "Via: SIP/2.0/WS k3b1.invalid;branch=z9hG4bK4411870\r\nMax-Forwards: 70\r\n"
         "From: \"Alice\" <sip:alice@example.test>;tag=7jr2nqaf\r\nTo: <sip:2000@example.test>\r\n"
         "Call-ID: o3a8f0u2d5k9\r\nCSeq: 4711 INVITE\r\n"
         "Authorization: Digest algorithm=MD5, username=\"alice\", realm=\"example.test\", "
         "nonce=\"af5c24e3b9d0\", uri=\"sip:2000@example.test\", "
         "response=\"9f1b0c2e7a6d5c4b3a2f1e0d9c8b7a6f\", qop=auth, cnonce=\"0a4f\", nc=00000001\r\n"
         "Contact: <sip:alice@k3b1.invalid;transport=ws;ob>\r\n"
         "Allow: ACK,CANCEL,INVITE,MESSAGE,BYE,OPTIONS,INFO,NOTIFY,REFER\r\n"
         "Supported: outbound,replaces\r\nUser-Agent: bench/1.0\r\n"
         "Content-Type: application/sdp\r\nContent-Length: " +
         std::to_string(description.size()) + "\r\n\r\n" + description;
}

void report(benchmark::State& state, std::size_t before) {
  state.counters["allocations"] = benchmark::Counter(static_cast<double>(allocations - before),
                                                     benchmark::Counter::kAvgIterations);
}

void parse(benchmark::State& state) {
  const Parser parser;
  const std::string text = invite();
  const std::size_t before = allocations;
  for (auto _ : state) {
    auto message = parser.parse(text, Framing::websocket);
    benchmark::DoNotOptimize(message);
  }
  report(state, before);  // one of them is the copy of the text
}
BENCHMARK(parse);

void serialize(benchmark::State& state) {
  const auto message = Parser().parse(invite(), Framing::websocket);
  const std::size_t before = allocations;
  for (auto _ : state) {
    std::string text = message->serialize();
    benchmark::DoNotOptimize(text);
  }
  report(state, before);
}
BENCHMARK(serialize);

void read_fields(benchmark::State& state) {
  const auto message = Parser().parse(invite(), Framing::websocket);
  const std::size_t before = allocations;
  for (auto _ : state) {
    benchmark::DoNotOptimize(top_via(*message));
    benchmark::DoNotOptimize(from_of(*message));
    benchmark::DoNotOptimize(to_of(*message));
    benchmark::DoNotOptimize(cseq_of(*message));
  }
  report(state, before);
}
BENCHMARK(read_fields);

}  // namespace
