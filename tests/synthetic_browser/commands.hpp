#pragma once
#include "user_agent.hpp"
#include <string>

namespace trunkline::test {

/// Obeys JSON lines on standard input and reports JSON lines on standard output, until "quit" or
/// end of input.
int run_control(const std::string& url, const UserAgentSettings& settings);

struct CheckSettings {
  std::string dial;           ///< a number whose far end plays back what it hears
  std::string tone_from_far;  ///< a number whose far end plays 440 Hz
};
/// One call to each number; proves both directions of audio, prints one line. 0 when all was heard.
int run_check(const std::string& url, const UserAgentSettings& settings,
              const CheckSettings& check);

}  // namespace trunkline::test
