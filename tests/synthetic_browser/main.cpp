#include "commands.hpp"
#include <CLI/CLI.hpp>

int main(int argc, char** argv) {
  using namespace trunkline::test;
  CLI::App app{"A browser without a page: SIP over WebSocket, ICE, DTLS-SRTP."};
  app.require_subcommand(1);
  std::string url;
  UserAgentSettings settings;
  CheckSettings check;
  const auto common = [&](CLI::App* command) {
    command->add_option("--url", url, "ws://HOST:PORT of the gateway")->required();
    command->add_option("--user", settings.user)->required();
    command->add_option("--password", settings.password)->required();
    command->add_option("--username", settings.username, "for the digest; --user by default");
    command->add_option("--domain", settings.domain)->required();
    command->add_option("--instance", settings.instance, "+sip.instance; none by default");
    command->add_flag("--tcp", settings.by_tcp, "media by TCP, as where UDP is blocked");
    command->add_option("--expires", settings.expires, "seconds");
    command->add_flag("--opus", settings.media.opus, "instead of PCMU");
    command->add_option("--lose-every", settings.media.lose_every, "one of so many RTP packets");
  };
  CLI::App* control = app.add_subcommand("control", "obeys JSON lines on standard input");
  CLI::App* checking = app.add_subcommand("check", "two calls, both directions of audio, one line");
  common(control);
  common(checking);
  checking->add_option("--dial", check.dial, "a number that plays back what it hears")->required();
  checking->add_option("--tone-from-far", check.tone_from_far, "a number that plays 440 Hz")
      ->required();
  CLI11_PARSE(app, argc, argv);
  if (settings.media.opus) {
    settings.media.payload_type = 111;
    settings.media.event_payload_type = 110;
    settings.media.clock = 48000;
  }
  return control->parsed() ? run_control(url, settings) : run_check(url, settings, check);
}
