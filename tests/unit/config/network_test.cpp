#include "parsed.hpp"
#include "support/certificates.hpp"
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace trunkline::config {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ConfigTls : public testing::Test {
 protected:
  ConfigTls() {
    certificates.issue("cert", "DNS:gw.example.test");
    certificates.issue("other", "DNS:other.example.test");
    certificates.issue("expired", "DNS:gw.example.test", -7200, -3600);
    certificates.issue("coming", "DNS:gw.example.test", 3600, 7200);
    std::filesystem::rename(certificates.path("cert.key"), certificates.path("key.pem"));
    std::ofstream(certificates.path("text.pem")) << "hello\n";
  }
  std::string check(const std::string& text) { return problems(text, {}, certificates.folder()); }

  Certificates certificates;
  const std::string folder_ = certificates.folder();
};

TEST_F(ConfigTls, FilesAreFoundBesideTheConfiguration) {
  const Config config = good(
      "listen: { websocket: [{ bind: \"127.0.0.1:8443\", tls: { certificate: cert.pem, key: "
      "key.pem } }] }",
      {}, folder_);
  EXPECT_EQ(config.gateway.io.websocket[0].tls->certificate, folder_ + "/cert.pem");
}

TEST(ConfigListen, APortThatIsTakenIsTraced) {
  const Config config = good(
      "listen:\n  websocket: [{ bind: \"127.0.0.1:8080\" }]\n  sip:\n"
      "    - { transport: udp, bind: \"[::1]:5060\" }\n    - { transport: tcp, bind: "
      "\"[::1]:5060\" }\n"
      "  admin: { bind: \"127.0.0.1:90\" }\nmedia: { bind: 127.0.0.1 }\n");
  const auto told = [&config](const std::string& message) {
    return describe(unbound(config.effective, message), "f.yaml");
  };
  EXPECT_THAT(told("can't bind 127.0.0.1:8080/ws: Address already in use"),
              AllOf(HasSubstr("f.yaml:2: listen.websocket[0].bind: can't bind"),
                    HasSubstr("choose another port")));
  EXPECT_THAT(told("can't bind [::1]:5060/tcp: Cannot assign requested address"),
              AllOf(HasSubstr("f.yaml:5: listen.sip[1].bind: "), HasSubstr("of this machine")));
  EXPECT_THAT(told("can't bind 127.0.0.1:90/tcp (admin): Permission denied"),
              AllOf(HasSubstr("f.yaml:6: listen.admin.bind: "), HasSubstr("above 1023")));
  EXPECT_THAT(told("can't bind 127.0.0.1:19000/udp (media.webrtc_port): Address already in use"),
              HasSubstr("f.yaml: media.webrtc_port: "));
}

TEST_F(ConfigTls, FilesMustExistAndBePem) {
  const std::string listen = "listen: { websocket: [{ bind: \"127.0.0.1:8443\", tls: ";
  EXPECT_THAT(check(listen + "{ certificate: gone.pem, key: key.pem } }] }"),
              AllOf(HasSubstr("f.yaml:1: listen.websocket[0].tls.certificate: "),
                    HasSubstr("gone.pem can't be read: No such file")));
  EXPECT_THAT(check(listen + "{ certificate: text.pem, key: key.pem } }] }"),
              HasSubstr("text.pem is no certificate in PEM"));
  EXPECT_THAT(check(listen + "{ certificate: cert.pem, key: other.key } }] }"),
              AllOf(HasSubstr("tls.key: "), HasSubstr("other.key is not the key of")));
  EXPECT_THAT(check(listen + "{ certificate: cert.pem, key: cert.pem } }] }"),
              HasSubstr("tls.key: "));
  EXPECT_THAT(check(listen + "{ certificate: expired.pem, key: expired.key } }] }"),
              AllOf(HasSubstr("tls.certificate: "), HasSubstr("expired.pem has expired on 20")));
  EXPECT_THAT(check(listen + "{ certificate: coming.pem, key: coming.key } }] }"),
              HasSubstr("coming.pem is not valid before 20"));
  EXPECT_THAT(check(listen + "{ certificate: cert.pem } }] }"), HasSubstr("tls.key: is missing"));
}

TEST_F(ConfigTls, OfATrunkHasAnAuthorityAndACertificateOfItsOwn) {
  const auto with = [&](const std::string& tls, const std::string& client_ca = "") {
    return "listen: { sip: [{ transport: tls, bind: \"127.0.0.1:5061\", tls: { certificate: "
           "cert.pem, key: key.pem" +
           client_ca + " } }] }\ntrunks:\n  - { name: a, uri: \"sip:a.test;transport=tls\" }\n" +
           "  - { name: b, uri: \"sip:b.test;transport=tls\", tls: { " + tls + " } }\n";
  };
  const Config config = good(
      with("ca: ca.pem, certificate: other.pem, key: other.key, server_name: c.test, wildcards: "
           "true, subject: d.test",
           ", client_ca: ca.pem"),
      {}, folder_);
  const auto& peers = config.gateway.io.tls_peers;
  ASSERT_EQ(peers.size(), 2U);
  EXPECT_EQ(peers[0].host, "a.test");
  EXPECT_EQ(peers[0].files.authorities, "");
  EXPECT_EQ(peers[1].name, "b");
  EXPECT_EQ(peers[1].host, "c.test");
  EXPECT_TRUE(peers[1].wildcards);
  EXPECT_EQ(peers[1].subject, "d.test");
  EXPECT_EQ(peers[1].files.certificate, folder_ + "/other.pem");
  EXPECT_EQ(peers[1].files.authorities, folder_ + "/ca.pem");
  EXPECT_EQ(config.gateway.call.trunks[1].peer, peers[1].id);
  EXPECT_NE(peers[0].id, peers[1].id);

  EXPECT_THAT(check(with("ca: gone.pem")), HasSubstr("f.yaml:4: trunks[1].tls.ca: "));
  EXPECT_THAT(check(with("ca: text.pem")), HasSubstr("text.pem holds no certificate in PEM"));
  EXPECT_THAT(check(with("certificate: cert.pem")), HasSubstr("has one of certificate and key"));
  EXPECT_THAT(check(with("certificate: cert.pem, key: other.key")),
              HasSubstr("trunks[1].tls.key: "));
  EXPECT_THAT(check(with("certificate: expired.pem, key: expired.key")),
              HasSubstr("trunks[1].tls.certificate: "));
  EXPECT_THAT(check(with("subject: d.test")),
              HasSubstr("trunks[1].tls.subject: needs a listener that asks"));
}

TEST_F(ConfigTls, BelongsToTlsListenersOnly) {
  EXPECT_THAT(check("listen: { sip: [{ transport: tls, bind: \"127.0.0.1:5061\" }] }"),
              HasSubstr("is a tls listener without a certificate"));
  EXPECT_THAT(check("listen: { sip: [{ transport: udp, bind: \"127.0.0.1:5060\", "
                    "tls: { certificate: cert.pem, key: key.pem } }] }"),
              HasSubstr("stands at a udp listener"));
}

TEST_F(ConfigTls, GrpcOffLoopbackNeedsAuthentication) {
  const std::string websocket = "websocket: [{ bind: \"127.0.0.1:8080\" }]";
  const auto grpc = [&](const std::string& rest) {
    return check("listen: { " + websocket + ", grpc: { bind: \"192.0.2.1:50051\"" + rest + " } }");
  };
  const std::string tls = ", tls: { certificate: cert.pem, key: key.pem";
  const std::string tokens = ", tokens: [{ name: desk, token: t0ken, roles: [read] }]";
  EXPECT_THAT(grpc(""), HasSubstr("is open to the network without authentication"));
  EXPECT_THAT(grpc(tls + " }"), HasSubstr("is open to the network without authentication"));
  EXPECT_THAT(grpc(tokens), HasSubstr("is open to the network without authentication"));
  EXPECT_EQ(grpc(tls + " }" + tokens), "");
  EXPECT_EQ(grpc(tls + ", client_ca: ca.pem }"), "");
}

TEST(ConfigListen, GrpcHasLimits) {
  const auto limits = [](const std::string& given) {
    return good(
               "listen: { websocket: [{ bind: \"127.0.0.1:8080\" }], grpc: { bind: "
               "\"127.0.0.1:50051\"" +
               given + " } }")
        .api->limits;
  };
  const call_control::Limits standard;
  EXPECT_EQ(limits("").message_bytes, standard.message_bytes);
  EXPECT_EQ(limits("").metadata_bytes, standard.metadata_bytes);
  EXPECT_EQ(limits("").streams_per_connection, standard.streams_per_connection);
  EXPECT_EQ(limits("").subscriptions, standard.subscriptions);
  EXPECT_EQ(limits("").subscriber_lag, standard.subscriber_lag);
  EXPECT_EQ(limits("").remembered_events, standard.remembered_events);
  EXPECT_EQ(limits(", max_message: 1MiB").message_bytes, 1U << 20);
  EXPECT_EQ(limits(", max_metadata: 8KiB").metadata_bytes, 8192U);
  EXPECT_EQ(limits(", max_streams: 5").streams_per_connection, 5U);
  EXPECT_EQ(limits(", max_subscriptions: 6").subscriptions, 6U);
  EXPECT_EQ(limits(", max_lag: 100").subscriber_lag, 100U);
  EXPECT_EQ(limits(", max_lag: 100").remembered_events, 200U);
}

TEST_F(ConfigTls, GrpcClientsNeedAnAuthority) {
  EXPECT_THAT(
      check(
          "listen: { websocket: [{ bind: \"127.0.0.1:8080\" }], grpc: { bind: \"127.0.0.1:50051\", "
          "clients: [{ subject: a.test, roles: [read] }] } }"),
      HasSubstr("add tls.client_ca"));
}

TEST_F(ConfigTls, GrpcRolesAndTokenNamesAreChecked) {
  const auto grpc = [&](const std::string& tokens) {
    return check(
        "listen: { websocket: [{ bind: \"127.0.0.1:8080\" }], grpc: { bind: \"127.0.0.1:50051\", "
        "tokens: [" +
        tokens + "] } }");
  };
  EXPECT_THAT(grpc("{ name: a, token: x, roles: [write] }"), HasSubstr("use read, call, admin"));
  EXPECT_THAT(grpc("{ name: a, token: x, roles: [] }"), HasSubstr("roles: is empty"));
  EXPECT_THAT(grpc("{ name: a, token: x, roles: [read] }, { name: a, token: y, roles: [read] }"),
              HasSubstr("is given twice"));
}

TEST(ConfigListen, GivesExactlyWhatIsListed) {
  const Config config = good(kSip);
  EXPECT_THAT(config.gateway.io.websocket, IsEmpty());
  EXPECT_FALSE(config.admin);
  ASSERT_EQ(config.gateway.io.sip.size(), 1U);
  EXPECT_EQ(config.gateway.io.sip[0].transport, sip::Transport::udp);
}

TEST(ConfigListen, ContactIsTheAdvertisedAddress) {
  const Config config = good(
      "listen: { sip: [{ transport: udp, bind: \"127.0.0.1:5060\", advertise: \"203.0.113.7:5080\" "
      "}, "
      "{ transport: tcp, bind: \"127.0.0.1:5060\" }] }");
  ASSERT_EQ(config.gateway.call.contacts.size(), 2U);
  EXPECT_EQ(config.gateway.call.contacts[0].address.text(), "203.0.113.7:5080");
  EXPECT_EQ(config.gateway.call.contacts[1].address.text(), "127.0.0.1:5060");
}

TEST(ConfigListen, EverywhereNeedsAnAdvertisedAddress) {
  EXPECT_THAT(problems("listen: { sip: [{ transport: udp, bind: \"0.0.0.0:5060\" }] }\nmedia: { "
                       "bind: 127.0.0.1 }"),
              HasSubstr("listen.sip[0].bind: 0.0.0.0:5060 can't be told to peers; add advertise"));
}

TEST(ConfigListen, AdvertisedAddressMustBeReachableAndOfTheSameFamily) {
  EXPECT_THAT(problems("listen: { sip: [{ transport: udp, bind: \"127.0.0.1:5060\", advertise: "
                       "\"0.0.0.0:5060\" }] }"),
              HasSubstr("can't be reached by anyone"));
  EXPECT_THAT(problems("listen: { sip: [{ transport: udp, bind: \"127.0.0.1:5060\", advertise: "
                       "\"[2001:db8::1]:5060\" }] }"),
              HasSubstr("another address family"));
}

TEST(ConfigListen, TwoListenersOnOnePlaceAreAnError) {
  EXPECT_THAT(
      problems("listen: { websocket: [{ bind: \"127.0.0.1:8080\" }], admin: { bind: "
               "\"127.0.0.1:8080\" } }"),
      HasSubstr("listen.admin.bind: 127.0.0.1:8080 is already taken by listen.websocket[0].bind"));
  EXPECT_THAT(problems("listen: { websocket: [{ bind: \"0.0.0.0:8080\" }], admin: { bind: "
                       "\"127.0.0.1:8080\" } }\n"
                       "media: { bind: 127.0.0.1 }"),
              HasSubstr("already taken"));
}

TEST(ConfigListen, UdpAndTcpMayShareAPort) {
  EXPECT_EQ(problems("listen: { sip: [{ transport: udp, bind: \"127.0.0.1:5060\" }, "
                     "{ transport: tcp, bind: \"127.0.0.1:5060\" }] }"),
            "");
}

TEST(ConfigListen, PortZeroNeverCollides) {
  EXPECT_EQ(
      problems(
          "listen: { websocket: [{ bind: \"127.0.0.1:0\" }], admin: { bind: \"127.0.0.1:0\" } }"),
      "");
}

TEST(ConfigListen, WithoutAListenerForCallsIsAnError) {
  EXPECT_THAT(problems("listen: { admin: { bind: \"127.0.0.1:9090\" } }"),
              HasSubstr("has no listener for calls"));
}

TEST(ConfigListen, GrpcClientsAndTheirRoles) {
  const Config config = good(
      "listen: { websocket: [{ bind: \"127.0.0.1:8080\" }], grpc: { bind: \"127.0.0.1:50052\", "
      "tokens: [{ name: desk, token: t0ken, roles: [read, call] }] } }");
  ASSERT_TRUE(config.api);
  EXPECT_EQ(config.api->bind.text(), "127.0.0.1:50052");
  ASSERT_EQ(config.api->tokens.size(), 1u);
  EXPECT_EQ(config.api->tokens[0].name, "desk");
  EXPECT_EQ(config.api->tokens[0].token, "t0ken");
  EXPECT_THAT(config.api->tokens[0].roles,
              ElementsAre(call_control::Role::read, call_control::Role::call));
  EXPECT_THAT(config.notices, testing::IsEmpty());
}

TEST(ConfigMedia, BindIsNeededOffLoopback) {
  EXPECT_THAT(problems("listen: { websocket: [{ bind: \"0.0.0.0:8080\" }] }"),
              HasSubstr("media.bind: is missing"));
}

TEST(ConfigMedia, OneAddressPerFamily) {
  const Config config =
      good("media: { bind: [127.0.0.1, \"::1\"], advertise: [\"2001:db8::7\", 203.0.113.7] }");
  const io::MediaSettings& media = config.gateway.io.media;
  ASSERT_EQ(media.bind.size(), 2U);
  EXPECT_EQ(media.advertise[0].text(), "203.0.113.7");
  EXPECT_EQ(media.advertise[1].text(), "2001:db8::7");
  EXPECT_THAT(problems("media: { bind: [127.0.0.1, 127.0.0.2] }"),
              HasSubstr("second address of its family"));
  EXPECT_THAT(problems("media: { bind: 127.0.0.1, advertise: [192.0.2.1, 192.0.2.2] }"),
              HasSubstr("second address of its family"));
}

// RFC 8445 §5.1.1.1: the advertised address is told [ice-advertised]
TEST(ConfigMedia, AdvertiseDefaultsToBindAndFollowsItsFamilies) {
  EXPECT_EQ(good("media: { bind: 127.0.0.1 }").gateway.io.media.advertise[0].text(), "127.0.0.1");
  EXPECT_THAT(problems("media: { bind: 127.0.0.1, advertise: \"2001:db8::1\" }"),
              HasSubstr("has no bind address of its family"));
}

TEST(ConfigMedia, EverywhereNeedsAnAdvertisedAddress) {
  EXPECT_THAT(problems("media: { bind: 0.0.0.0 }"),
              HasSubstr("media.bind: 0.0.0.0 can't be told to peers"));
  EXPECT_EQ(problems("media: { bind: 0.0.0.0, advertise: 203.0.113.7 }"), "");
  EXPECT_THAT(problems("media: { bind: 0.0.0.0, advertise: 0.0.0.0 }"),
              HasSubstr("can't be reached by anyone"));
  EXPECT_THAT(problems("media: { bind: [0.0.0.0, \"::1\"], advertise: \"2001:db8::1\" }"),
              HasSubstr("0.0.0.0 can't be told to peers"));
}

// RFC 8421 §4: a link-local address is no candidate for somebody elsewhere
TEST(ConfigMedia, LinkLocalAddressesAreNotTold) {
  EXPECT_THAT(problems("media: { bind: \"fe80::1\" }"),
              HasSubstr("media.bind: fe80::1 can't be told to peers"));
  EXPECT_THAT(problems("media: { bind: \"::1\", advertise: \"fe80::1\" }"),
              HasSubstr("can't be reached by anyone"));
}

TEST(ConfigMedia, PortsAreEvenEnoughAndApart) {
  EXPECT_THAT(problems("media: { rtp_ports: \"20001-20999\" }"),
              HasSubstr("starts at an odd port"));
  EXPECT_THAT(problems("media: { rtp_ports: \"20000-20002\", workers: 2 }"),
              HasSubstr("is too small for 2 workers"));
  EXPECT_THAT(problems("media: { rtp_ports: \"20998-20000\" }"),
              HasSubstr("ends before it starts"));
  EXPECT_THAT(problems("media: { webrtc_port: 19999, workers: 2 }"),
              HasSubstr("overlaps the browser ports 19999-20000"));
  EXPECT_THAT(problems("media: { webrtc_port: 65535, workers: 2 }"),
              HasSubstr("use at most 65534"));
  EXPECT_THAT(problems("media: { rtp_ports: \"20000\" }"), HasSubstr("a range of ports such as"));
}

TEST(ConfigMedia, PortsLeaveSipListenersAlone) {
  EXPECT_THAT(problems("listen: { sip: [{ transport: udp, bind: \"127.0.0.1:20010\" }] }"),
              HasSubstr("media.rtp_ports: holds port 20010 of a SIP listener"));
  EXPECT_EQ(problems("listen: { sip: [{ transport: tcp, bind: \"127.0.0.1:20010\" }] }"), "");
}

TEST(ConfigMedia, TheBrowserPortIsAListenersByTcpTooOnlyWithoutIceTcp) {
  const std::string sip = "listen: { sip: [{ transport: tcp, bind: \"127.0.0.1:19000\" }] }";
  EXPECT_THAT(problems(sip), HasSubstr("holds port 19000 of a SIP listener over tcp"));
  EXPECT_EQ(problems(sip + "\nmedia: { ice_tcp: false }"), "");
  const std::string web = "listen: { websocket: [{ bind: \"127.0.0.1:19000\" }] }";
  EXPECT_THAT(problems(web), HasSubstr("holds port 19000 of a WebSocket listener"));
  EXPECT_EQ(problems(web + "\nmedia: { ice_tcp: false }"), "");
}

TEST(ConfigMedia, EnginesAreChosenOrRefused) {
  EXPECT_EQ(good("media: { srtp_engine: libsrtp }").gateway.io.media.srtp_engine,
            media::SrtpEngineKind::libsrtp);
  EXPECT_EQ(good("media: { srtp_engine: openssl }").gateway.io.media.srtp_engine,
            media::SrtpEngineKind::openssl);
  if (media::srtp_engine_available(media::SrtpEngineKind::ipsec_mb)) {
    EXPECT_EQ(good("media: { srtp_engine: ipsec-mb }").gateway.io.media.srtp_engine,
              media::SrtpEngineKind::ipsec_mb);
  } else {
    EXPECT_THAT(problems("media: { srtp_engine: ipsec-mb }"),
                AllOf(HasSubstr("media.srtp_engine: is not there"), HasSubstr("use auto")));
  }
}

TEST(ConfigMedia, TranscodingIsOnUnlessItIsTurnedOff) {
  EXPECT_EQ(good("").gateway.call.translation, sdp::Translation::where_needed);
  EXPECT_EQ(good("media: { transcoding: false }").gateway.call.translation,
            sdp::Translation::never);
  EXPECT_EQ(good("media: { max_transcoded_calls: 7 }").gateway.call.max_transcoded_calls, 7U);
  const auto trunk = [](const std::string& wish) {
    return good(
               "listen: { sip: [{ transport: udp, bind: \"127.0.0.1:5060\" }] }\n"
               "trunks: [{ name: a, uri: \"sip:192.0.2.9\"" +
               wish + " }]")
        .gateway.call.trunks[0]
        .translation;
  };
  EXPECT_EQ(trunk(""), sdp::Translation::where_needed);
  EXPECT_EQ(trunk(", transcoding: never"), sdp::Translation::never);
  EXPECT_EQ(trunk(", transcoding: opus"), sdp::Translation::to_opus);
}

TEST_F(ConfigTls, SoundsAreFoundBesideTheConfigurationOrItSaysWhyNot) {
  const auto sounds = [](const std::string& file) {
    return "media: { sounds: { hold_music: " + file + ", ringback: none } }";
  };
  EXPECT_THAT(check(sounds("gone.wav")),
              AllOf(HasSubstr("f.yaml:1: media.sounds.hold_music: "), HasSubstr("can't read")));
  EXPECT_THAT(check(sounds("cert.pem")), HasSubstr("\"cert.pem\" is no WAV file"));
  const char wav[] =
      "RIFF\x28\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0"
      "data\4\0\0\0\0\0\0\0";
  std::ofstream(certificates.path("hold.wav"), std::ios::binary).write(wav, sizeof wav - 1);
  const Config config = good(sounds("hold.wav"), {}, folder_);
  EXPECT_TRUE(config.gateway.call.sounds.hold_music);
  EXPECT_FALSE(config.gateway.call.sounds.play);
  EXPECT_FALSE(config.gateway.call.sounds.ringback);
  EXPECT_TRUE(good("").gateway.call.sounds.ringback);
}

TEST(ConfigMedia, ASilentTrunkIsGivenAMinuteUnlessItIsToldOtherwise) {
  EXPECT_EQ(good("").gateway.call.media_timeout, Duration{seconds{60}});
  EXPECT_EQ(good("media: { timeout: 0s, hold_timeout: 1h }").gateway.call.media_timeout,
            Duration{});
  EXPECT_EQ(good("media: { hold_timeout: 1h }").gateway.call.hold_timeout,
            Duration{std::chrono::hours{1}});
}

}  // namespace
}  // namespace trunkline::config
