#include "media/clip.hpp"

#include "speech.hpp"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

// Sounds that are prepared once, and each leg's place in them.
namespace trunkline::media {
namespace {

using testing::HasSubstr;

std::vector<std::int16_t> sine(double frequency, std::uint32_t rate, double time) {
  std::vector<std::int16_t> samples(static_cast<std::size_t>(time * rate));
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const double angle = 2 * std::numbers::pi * frequency * static_cast<double>(i) / rate;
    samples[i] = static_cast<std::int16_t>(8000 * std::sin(angle));
  }
  return samples;
}

std::string little(std::uint32_t value, int octets) {
  std::string text;
  for (int i = 0; i < octets; ++i)
    text.push_back(static_cast<char>(value >> (8 * i) & 0xff));
  return text;
}

/// A WAV file with a chunk before the samples that nobody knows.
std::string wav(const std::vector<std::int16_t>& samples, std::uint32_t rate, int channels = 1,
                int bits = 16, int format = 1) {
  std::string data;
  for (const std::int16_t sample : samples)
    data += little(static_cast<std::uint16_t>(sample), 2);
  const std::string text = "WAVEfmt " + little(16, 4) + little(format, 2) + little(channels, 2) +
                           little(rate, 4) + little(rate * 2, 4) + little(2, 2) + little(bits, 2) +
                           "LIST" + little(3, 4) + std::string("abc\0", 4) + "data" +
                           little(data.size(), 4) + data;
  return "RIFF" + little(text.size(), 4) + text;
}

std::string refusal(const std::string& file) {
  const auto clip = Clip::from_wav(as_bytes(file));
  return clip ? std::string{} : clip.error().message;
}

constexpr std::array kCodecs{AudioCodec::pcmu, AudioCodec::pcma, AudioCodec::g722,
                             AudioCodec::opus};

TEST(Clip, IsHeardInEveryCodecAtEitherRate) {
  for (const std::uint32_t rate : {8000u, 16000u}) {
    const auto clip = Clip::from_wav(as_bytes(wav(sine(600, rate, 1), rate)));
    ASSERT_TRUE(clip) << clip.error().message;
    ASSERT_EQ((*clip)->frames(), 50u);
    for (const AudioCodec codec : kCodecs) {
      test::Listener listener(codec);
      for (std::size_t i = 0; i < (*clip)->frames(); ++i)
        listener.hear((*clip)->frame(codec, i));
      EXPECT_EQ(listener.samples(), listener.rate());
      EXPECT_GT(listener.share(600), 0.9) << static_cast<int>(codec) << " from " << rate;
    }
  }
}

TEST(Clip, WhatANarrowCodecCanNotHoldIsLeftOut) {
  const auto clip = Clip::make(sine(6000, 16000, 1), 16000);
  ASSERT_TRUE(clip);
  test::Listener listener(AudioCodec::pcmu);
  for (std::size_t i = 0; i < (*clip)->frames(); ++i)
    listener.hear((*clip)->frame(AudioCodec::pcmu, i));
  EXPECT_LT(listener.loudness(), 100);
}

TEST(Clip, TheLastFrameIsWhole) {
  const auto clip = Clip::make(std::vector<std::int16_t>(161, 0), 8000);
  ASSERT_TRUE(clip);
  EXPECT_EQ((*clip)->frames(), 2u);
  EXPECT_EQ((*clip)->frame(AudioCodec::pcmu, 1).size(), 160u);
  EXPECT_TRUE((*clip)->frame(AudioCodec::pcmu, 2).empty());
  EXPECT_TRUE((*clip)->frame(AudioCodec::none, 0).empty());
}

TEST(Clip, AFileThatIsOfNoUseSaysWhy) {
  EXPECT_THAT(refusal("hello"), HasSubstr("is no WAV file"));
  EXPECT_THAT(refusal(wav({}, 8000)), HasSubstr("has no samples"));
  EXPECT_THAT(refusal(wav({1, 2}, 44100)), HasSubstr("has 44100 samples a second"));
  EXPECT_THAT(refusal(wav({1, 2}, 8000, 2)), HasSubstr("has more than one channel"));
  EXPECT_THAT(refusal(wav({1, 2}, 8000, 1, 8)), HasSubstr("has no samples of 16 bits"));
  EXPECT_THAT(refusal(wav({1, 2}, 8000, 1, 16, 6)), HasSubstr("has no samples of 16 bits"));
  EXPECT_THAT(refusal(wav(std::vector<std::int16_t>(8000 * 301), 8000)),
              HasSubstr("is longer than 300 s"));
}

TEST(Clip, AFileThatIsCutOffAnywhereBreaksNothing) {
  const std::string file = wav(sine(600, 8000, 0.1), 8000);
  for (std::size_t size = 0; size < file.size(); ++size)
    (void)Clip::from_wav(as_bytes(std::string_view(file).substr(0, size)));
}

TEST(ClipPlayer, PlaysOverAndOverWithoutDrift) {
  const auto clip = Clip::make(sine(600, 8000, 0.1), 8000);
  ASSERT_TRUE(clip);
  const TimePoint begin = TimePoint{} + seconds{5};
  ClipPlayer player({LegId{1}, Sound::play, AudioCodec::opus, 111}, *clip, begin);
  std::array<std::uint8_t, kMaxEncoded> payload{};
  EXPECT_TRUE(player.first());
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(player.deadline(), begin + i * milliseconds{20});
    EXPECT_EQ(player.sequence(), i);
    EXPECT_EQ(player.timestamp(), 960u * static_cast<unsigned>(i));
    const std::size_t size = player.next(payload, player.deadline() + milliseconds{7});
    const ByteView frame = (*clip)->frame(AudioCodec::opus, static_cast<std::size_t>(i) % 5);
    ASSERT_EQ(size, frame.size());
    EXPECT_TRUE(std::equal(frame.begin(), frame.end(), payload.begin()));
  }
}

TEST(ClipPlayer, ALongSleepIsSkipped) {
  const auto clip = Clip::make(sine(600, 8000, 0.1), 8000);
  ASSERT_TRUE(clip);
  const TimePoint begin = TimePoint{} + seconds{5};
  ClipPlayer player({LegId{1}, Sound::play, AudioCodec::pcmu, 0}, *clip, begin);
  std::array<std::uint8_t, kMaxEncoded> payload{};
  player.next(payload, begin + seconds{3});
  EXPECT_GT(player.deadline(), begin + seconds{3} - milliseconds{20});
  EXPECT_LE(player.deadline(), begin + seconds{3});
  EXPECT_EQ(player.timestamp(),
            8u * static_cast<unsigned>((player.deadline() - begin) / milliseconds{1}));
}

}  // namespace
}  // namespace trunkline::media
