#include "base/random.hpp"

#include "support/srtp_differential.hpp"
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

// The octets decide what is sent, what becomes of it on the way, and what an attacker adds. All
// engines must agree on every octet and every verdict.
namespace trunkline::media {
namespace {

class OctetChoices final : public Random {
 public:
  explicit OctetChoices(ByteView octets) : octets_(octets) {}
  void fill(MutableBytes out) override {
    std::fill(out.begin(), out.end(), std::uint8_t{0});
    const std::size_t size = std::min(out.size(), octets_.size());
    std::copy_n(octets_.begin(), size, out.begin());
    octets_ = octets_.subspan(size);
  }
  bool left() const { return !octets_.empty(); }

 private:
  ByteView octets_;
};

void require(const std::optional<std::string>& difference) {
  if (!difference) return;
  std::fprintf(stderr, "%s\n", difference->c_str());
  std::abort();
}

void run(ByteView octets) {
  OctetChoices choices(octets);
  SeededRandom filler(1);
  std::vector<SrtpEngineKind> engines(kSrtpEngines.begin(), kSrtpEngines.end());
  std::erase_if(engines, [](SrtpEngineKind engine) { return !srtp_engine_available(engine); });
  const SrtpProfile profile = kSrtpProfiles[choices.below(kSrtpProfiles.size())];
  test::SrtpDifferential differential(engines, profile, choices, filler);
  while (choices.left()) {
    if (choices.below(8) != 0) {
      require(differential.step());
      continue;
    }
    std::vector<std::uint8_t> foreign(choices.below(64));
    choices.fill(foreign);
    require(differential.receive(foreign, choices.below(2) == 0));
  }
}

}  // namespace
}  // namespace trunkline::media

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  trunkline::media::run({data, size});
  return 0;
}
