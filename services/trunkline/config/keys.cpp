#include "config/key.hpp"
#include <array>

namespace trunkline::config {
namespace {

using Words = std::string_view;
using enum Kind;

constexpr std::int64_t kSecond = 1000, kMinute = 60 * kSecond, kHour = 60 * kMinute,
                       kDay = 24 * kHour;
constexpr std::int64_t kMillion = 1'000'000;

constexpr std::array<Words, 3> kSipTransports{"udp", "tcp", "tls"};
constexpr std::array<Words, 3> kRoles{"read", "call", "admin"};
constexpr std::array<Words, 4> kSrtpEngines{"auto", "openssl", "ipsec-mb", "libsrtp"};
constexpr std::array<Words, 4> kTrunkDtmf{"auto", "rfc4733", "info", "inband"};
constexpr std::array<Words, 3> kTrunkSrtp{"none", "sdes", "sdes-required"};
constexpr std::array<Words, 3> kRingback{"none", "etsi", "ansi"};
constexpr std::array<Words, 3> kTranscoding{"where-needed", "never", "opus"};
constexpr std::array<Words, 4> kIdentities{"none", "assert", "accept", "trusted"};
constexpr std::array<Words, 4> kDiversions{"none", "diversion", "history-info", "both"};
constexpr std::array<Words, 3> kNumberForms{"sip", "phone", "tel"};
constexpr std::array<Words, 4> kMediaSources{"pinned", "same-host", "subnet", "learn"};
constexpr std::array<Words, 2> kDigestAlgorithms{"MD5", "SHA-256"};
constexpr std::array<Words, 4> kCodecs{"PCMU", "PCMA", "opus", "G722"};
constexpr std::array<Words, 2> kStores{"memory", "redis"};
constexpr std::array<Words, 6> kLevels{"trace", "debug", "info", "warn", "error", "off"};
constexpr std::array<Words, 2> kFormats{"json", "console"};

constexpr std::array kTls{
    Key{.name = "certificate",
        .kind = Kind::file,
        .doc = "PEM file with the certificate and its chain.",
        .required = true},
    Key{.name = "key",
        .kind = Kind::file,
        .doc = "PEM file with the private key of the certificate.",
        .required = true},
};
constexpr std::array kMutualTls{
    kTls[0],
    kTls[1],
    Key{.name = "client_ca",
        .kind = Kind::file,
        .doc = "PEM file with the authorities whose client certificates are taken."},
};
constexpr std::array kTrunkTls{
    Key{.name = "ca",
        .kind = Kind::file,
        .doc = "PEM file with the authorities that vouch for the trunk; default: the system's."},
    Key{.name = "certificate",
        .kind = Kind::file,
        .doc = "PEM file with the certificate, and its chain, that is shown to a trunk that asks."},
    Key{.name = "key",
        .kind = Kind::file,
        .doc = "PEM file with the private key of the certificate."},
    Key{.name = "server_name",
        .kind = host,
        .doc = "What the trunk's certificate must prove, and SNI; default: the host of uri."},
    Key{.name = "wildcards",
        .kind = boolean,
        .doc = "Take a certificate for *.DOMAIN too, against RFC 5922.",
        .standard = "false"},
    Key{.name = "subject",
        .kind = host,
        .doc = "Name in the client certificate by which the trunk's connections to a listener with "
               "client_ca are known, from whatever address."},
};
constexpr std::array kWebSocketListener{
    Key{.name = "bind",
        .kind = socket_address,
        .doc = "Address and port to listen on.",
        .required = true,
        .of_node = true},
    Key{.name = "tls",
        .kind = section,
        .doc = "Makes it a secure WebSocket (wss).",
        .members = kTls},
};
constexpr std::array kSipListener{
    Key{.name = "transport",
        .kind = choice,
        .doc = "SIP transport.",
        .required = true,
        .choices = kSipTransports},
    Key{.name = "bind",
        .kind = socket_address,
        .doc = "Address and port to listen on.",
        .required = true,
        .of_node = true},
    Key{.name = "advertise",
        .kind = socket_address,
        .doc = "What peers see in Via and Contact; default: bind.",
        .of_node = true},
    Key{.name = "tls",
        .kind = section,
        .doc = "Certificate of a tls listener.",
        .members = kMutualTls},
};
constexpr std::array kGrpcClient{
    Key{.name = "subject",
        .kind = text,
        .doc = "Subject alternative name of a client certificate.",
        .required = true,
        .minimum = 1,
        .maximum = 253},
    Key{.name = "roles",
        .kind = choice,
        .doc = "What the client may do.",
        .required = true,
        .shape = Shape::list,
        .choices = kRoles},
};
constexpr std::array kGrpcToken{
    Key{.name = "name", .kind = name, .doc = "Who has the token, for logs.", .required = true},
    Key{.name = "token", .kind = secret, .doc = "Bearer token.", .required = true},
    Key{.name = "roles",
        .kind = choice,
        .doc = "What its bearer may do.",
        .required = true,
        .shape = Shape::list,
        .choices = kRoles},
};
constexpr std::array kGrpc{
    Key{.name = "bind",
        .kind = socket_address,
        .doc = "Address and port of the gRPC API. Off loopback it needs tls with client_ca, or tls "
               "with tokens.",
        .required = true,
        .of_node = true},
    Key{.name = "tls", .kind = section, .doc = "TLS of the gRPC API.", .members = kMutualTls},
    Key{.name = "clients",
        .kind = section,
        .doc = "Client certificates and their roles.",
        .shape = Shape::list,
        .members = kGrpcClient,
        .change = Change::live},
    Key{.name = "tokens",
        .kind = section,
        .doc = "Bearer tokens and their roles.",
        .shape = Shape::list,
        .members = kGrpcToken,
        .change = Change::live},
    Key{.name = "max_message",
        .kind = size,
        .doc = "The longest request.",
        .standard = "64KiB",
        .minimum = 4096,
        .maximum = 4 << 20},
    Key{.name = "max_metadata",
        .kind = size,
        .doc = "The most metadata of a request.",
        .standard = "16KiB",
        .minimum = 4096,
        .maximum = 1 << 20},
    Key{.name = "max_streams",
        .kind = integer,
        .doc = "RPCs at a time of one connection.",
        .standard = "1024",
        .minimum = 1,
        .maximum = 65536},
    Key{.name = "max_subscriptions",
        .kind = integer,
        .doc = "Watch RPCs at a time of all clients.",
        .standard = "2048",
        .minimum = 1,
        .maximum = 65536},
    Key{.name = "max_lag",
        .kind = integer,
        .doc = "A subscriber that is more events behind is cut off with its resume_token; twice as "
               "many are kept for those who come back.",
        .standard = "16384",
        .minimum = 16,
        .maximum = 1 << 20},
};
constexpr std::array kAdmin{
    Key{.name = "bind",
        .kind = socket_address,
        .doc = "Address and port of /metrics, /healthz and /readyz.",
        .required = true,
        .of_node = true},
};
constexpr std::array kListen{
    Key{.name = "websocket",
        .kind = section,
        .doc = "SIP over WebSocket on any path; the web phone at /.",
        .shape = Shape::list,
        .members = kWebSocketListener},
    Key{.name = "sip",
        .kind = section,
        .doc = "SIP listeners for trunks.",
        .shape = Shape::list,
        .members = kSipListener},
    Key{.name = "grpc", .kind = section, .doc = "The gRPC API.", .members = kGrpc},
    Key{.name = "admin", .kind = section, .doc = "Console, metrics and health.", .members = kAdmin},
};
constexpr std::array kWebSocket{
    Key{.name = "allowed_origins",
        .kind = origin,
        .doc = "Origins of pages that may connect; absent: any.",
        .shape = Shape::list,
        .change = Change::live},
    Key{.name = "grace",
        .kind = duration,
        .doc = "How long a call outlives the browser's connection.",
        .standard = "60s",
        .maximum = kHour,
        .change = Change::live},
    Key{.name = "max_message",
        .kind = size,
        .doc = "The longest message taken from a browser.",
        .standard = "64KiB",
        .minimum = 4096,
        .maximum = 1 << 20},
};
constexpr std::array kWeb{
    Key{.name = "phone",
        .kind = boolean,
        .doc = "Serve the web phone at / of the WebSocket listeners.",
        .standard = "true"},
};
constexpr std::array kSounds{
    Key{.name = "play",
        .kind = Kind::file,
        .doc = "What service:play plays: a WAV file, 16 bits, one channel, 8000 or 16000 Hz."},
    Key{.name = "hold_music",
        .kind = Kind::file,
        .doc = "What a party hears that the API or a browser has put on hold; absent: silence."},
    Key{.name = "ringback",
        .kind = choice,
        .doc = "What the party that the API has called first hears while the other one rings.",
        .standard = "etsi",
        .choices = kRingback},
};
constexpr std::array kMedia{
    Key{.name = "bind",
        .kind = ip,
        .doc = "Local address of all media, or one per family.",
        .shape = Shape::one_or_list,
        .of_node = true},
    Key{.name = "advertise",
        .kind = ip,
        .doc = "What peers are told to send to, one per family; default: bind.",
        .shape = Shape::one_or_list,
        .of_node = true},
    Key{.name = "workers",
        .kind = integer,
        .doc = "Media threads.",
        .standard = "1",
        .minimum = 1,
        .maximum = 64},
    Key{.name = "webrtc_port",
        .kind = integer,
        .doc =
            "Port of all browser legs of worker 0, by UDP and TCP; worker i uses webrtc_port + i.",
        .standard = "19000",
        .minimum = 1,
        .maximum = 65535},
    Key{.name = "ice_tcp",
        .kind = boolean,
        .doc = "Browsers whose network blocks UDP may send their media by TCP, to the same port.",
        .standard = "true"},
    Key{.name = "rtp_ports",
        .kind = port_range,
        .doc = "UDP ports of trunk legs, in pairs.",
        .standard = "20000-20999"},
    Key{.name = "srtp_engine",
        .kind = choice,
        .doc = "What encrypts media; auto takes for each profile what is fastest here.",
        .standard = "auto",
        .choices = kSrtpEngines},
    Key{.name = "transcoding",
        .kind = boolean,
        .doc = "Joins legs that share no codec, by making the audio of one from that of the other.",
        .standard = "true",
        .change = Change::live},
    Key{.name = "max_transcoded_calls",
        .kind = integer,
        .doc = "Calls of one worker that are transcoded at once; one more is refused with 503.",
        .standard = "200",
        .minimum = 1,
        .maximum = 10000,
        .change = Change::live},
    Key{.name = "consent_timeout",
        .kind = duration,
        .doc = "A browser leg without an ICE check for this long is dead (RFC 7675).",
        .standard = "30s",
        .minimum = 5 * kSecond,
        .maximum = 10 * kMinute},
    Key{.name = "certificate_lifetime",
        .kind = duration,
        .doc =
            "How long new browser legs show the same DTLS certificate; those that have it keep it.",
        .standard = "30d",
        .minimum = kHour,
        .maximum = 365 * kDay},
    Key{.name = "timeout",
        .kind = duration,
        .doc = "A call ends when its trunk has stopped sending RTP and RTCP for this long; 0s: "
               "never.",
        .standard = "60s",
        .maximum = kDay},
    Key{.name = "hold_timeout",
        .kind = duration,
        .doc = "The same while the trunk is on hold, or holds.",
        .standard = "30m",
        .maximum = kDay},
    Key{.name = "sounds",
        .kind = section,
        .doc = "What the gateway itself plays.",
        .members = kSounds},
};
constexpr std::array kUser{
    Key{.name = "name",
        .kind = user,
        .doc = "User part of the address of record.",
        .required = true},
    Key{.name = "password", .kind = secret, .doc = "Password for SIP digest.", .required = true},
    Key{.name = "numbers",
        .kind = text,
        .doc =
            "Telephone numbers of the user. Trunks see one of them instead of the name: the first, "
            "or the one that the user prefers (P-Preferred-Identity).",
        .shape = Shape::list,
        .minimum = 1,
        .maximum = 64},
    Key{.name = "algorithms",
        .kind = choice,
        .doc = "What this user's credentials may be made with; default: those of digest.",
        .shape = Shape::list,
        .choices = kDigestAlgorithms},
};
constexpr std::array kDigest{
    Key{.name = "algorithms",
        .kind = choice,
        .doc =
            "What users are challenged with, in this order (RFC 8760), and nothing else is taken. "
            "JsSIP and SIP.js know MD5 alone, and read the last challenge alone.",
        .standard = "SHA-256, MD5",
        .shape = Shape::list,
        .choices = kDigestAlgorithms},
};
constexpr std::array kCredentials{
    Key{.name = "secret",
        .kind = secret,
        .doc = "Shared by all replicas; absent: made at start.",
        .minimum = 16},
    Key{.name = "max_ttl",
        .kind = duration,
        .doc = "Longest life of a short-lived credential.",
        .standard = "24h",
        .minimum = kMinute,
        .maximum = 30 * kDay,
        .change = Change::live},
};
constexpr std::array kTrunkMedia{
    Key{.name = "bind",
        .kind = ip,
        .doc = "Local address of this trunk's media, or one per family; default: media.bind.",
        .shape = Shape::one_or_list,
        .of_node = true},
    Key{.name = "advertise",
        .kind = ip,
        .doc = "What this trunk is told to send to, one per family; default: media.advertise.",
        .shape = Shape::one_or_list,
        .of_node = true},
};
constexpr std::array kRewriteRule{
    Key{.name = "match",
        .kind = expression,
        .doc = "RE2, found anywhere in the number unless it is anchored.",
        .required = true,
        .minimum = 1,
        .maximum = 256},
    Key{.name = "replace",
        .kind = text,
        .doc = "What stands in its place; \\1 to \\9 are captures.",
        .required = true,
        .maximum = 256},
};
constexpr std::array kRewrite{
    Key{.name = "called",
        .kind = section,
        .doc = "Rules for the number that is called; the first that matches counts.",
        .shape = Shape::list,
        .members = kRewriteRule},
    Key{.name = "calling",
        .kind = section,
        .doc = "Rules for the numbers of who calls, and of those who have sent the call on.",
        .shape = Shape::list,
        .members = kRewriteRule},
};
constexpr std::array kRewrites{
    Key{.name = "to_trunk",
        .kind = section,
        .doc = "Of calls to the trunk, after the routes.",
        .members = kRewrite},
    Key{.name = "from_trunk",
        .kind = section,
        .doc = "Of calls from the trunk, before the routes.",
        .members = kRewrite},
};
constexpr std::array kHeaders{
    Key{.name = "to_trunk",
        .kind = text,
        .doc = "Header fields that cross towards the trunk; X-NAME* for all that begin so.",
        .shape = Shape::list,
        .minimum = 1,
        .maximum = 64},
    Key{.name = "from_trunk",
        .kind = text,
        .doc = "Header fields of the trunk's that cross; X-NAME* for all that begin so.",
        .shape = Shape::list,
        .minimum = 1,
        .maximum = 64},
};
constexpr std::array kTrunk{
    Key{.name = "name", .kind = name, .doc = "Name in routes, logs and metrics.", .required = true},
    Key{.name = "uri",
        .kind = sip_uri,
        .doc = "Where its requests go: sip:HOST[:PORT][;transport=udp|tcp|tls].",
        .required = true},
    Key{.name = "allow",
        .kind = address_range,
        .doc = "Sources taken as this trunk: ADDR, CIDR or ADDR:PORT; the most specific wins. "
               "Default: what uri "
               "resolves to.",
        .shape = Shape::list},
    Key{.name = "username",
        .kind = text,
        .doc = "User name for the trunk's 401 and 407.",
        .minimum = 1,
        .maximum = 256},
    Key{.name = "password", .kind = secret, .doc = "Password for the trunk's 401 and 407."},
    Key{.name = "register",
        .kind = boolean,
        .doc = "Register with the trunk, as username.",
        .standard = "false"},
    Key{.name = "register_expires",
        .kind = duration,
        .doc = "Life of a registration that is asked for.",
        .standard = "3600s",
        .minimum = kMinute,
        .maximum = kDay},
    Key{.name = "tls",
        .kind = section,
        .doc = "TLS towards the trunk, where its uri or DNS asks for it.",
        .members = kTrunkTls},
    Key{.name = "srtp",
        .kind = choice,
        .doc =
            "Encryption of the trunk's media with keys in the description (RFC 4568): sdes takes "
            "it where the trunk wants it, sdes-required refuses calls without.",
        .standard = "none",
        .choices = kTrunkSrtp},
    Key{.name = "srtp_reset_on_reinvite",
        .kind = boolean,
        .doc = "The trunk begins its SRTP sequence anew with a re-INVITE, under the same key.",
        .standard = "false"},
    Key{.name = "identity",
        .kind = choice,
        .doc =
            "P-Asserted-Identity (RFC 3325). none: neither sent nor believed; assert: sent to the "
            "trunk; accept: believed of the trunk; trusted: both.",
        .standard = "none",
        .choices = kIdentities},
    Key{.name = "diversion",
        .kind = choice,
        .doc = "Header fields that tell, in both directions, who has sent a call on.",
        .standard = "none",
        .choices = kDiversions},
    Key{.name = "number_form",
        .kind = choice,
        .doc = "How its URIs name telephone numbers. sip: sip:NUMBER@HOST; phone: with user=phone; "
               "tel: tel:NUMBER.",
        .standard = "sip",
        .choices = kNumberForms},
    Key{.name = "rewrite",
        .kind = section,
        .doc = "Rules for numbers, by direction.",
        .members = kRewrites},
    Key{.name = "headers",
        .kind = section,
        .doc = "Header fields that cross, by direction; others stay.",
        .members = kHeaders},
    Key{.name = "media_source",
        .kind = choice,
        .doc = "Which sources of RTP are taken.",
        .standard = "pinned",
        .choices = kMediaSources},
    Key{.name = "media",
        .kind = section,
        .doc = "Media addresses of this trunk.",
        .members = kTrunkMedia,
        .change = Change::restart},
    Key{.name = "codecs",
        .kind = choice,
        .doc = "Codecs offered, in this order.",
        .standard = "PCMU, PCMA, opus",
        .shape = Shape::list,
        .choices = kCodecs},
    Key{.name = "transcoding",
        .kind = choice,
        .doc = "Between this trunk and browsers. where-needed: if they share no codec; never: such "
               "calls are refused; opus: browsers speak Opus, whatever the trunk speaks.",
        .standard = "where-needed",
        .choices = kTranscoding},
    Key{.name = "dtmf",
        .kind = choice,
        .doc = "How DTMF digits cross. auto: as telephone events where the trunk agrees to them, "
               "else by INFO, or as sound if it takes no INFO, and those in its sound count; "
               "rfc4733: the same, but its sound is not listened to; info: by INFO alone; inband: "
               "as sound alone.",
        .standard = "auto",
        .choices = kTrunkDtmf},
    Key{.name = "options_interval",
        .kind = duration,
        .doc = "Time between health probes of each target; 0s: none.",
        .standard = "30s",
        .maximum = kDay},
    Key{.name = "target_timeout",
        .kind = duration,
        .doc = "How long a target of the trunk may stay silent before the next one is tried.",
        .standard = "4s",
        .minimum = 100,
        .maximum = 32 * kSecond},
    Key{.name = "failover_codes",
        .kind = integer,
        .doc = "Responses, before any 18x, after which the next target of the trunk is tried.",
        .standard = "500, 502, 503, 504",
        .shape = Shape::list,
        .minimum = 500,
        .maximum = 599},
    Key{.name = "max_calls",
        .kind = integer,
        .doc = "Calls at once.",
        .standard = "100",
        .minimum = 1,
        .maximum = kMillion},
    Key{.name = "max_calls_per_second",
        .kind = integer,
        .doc = "New calls a second.",
        .standard = "20",
        .minimum = 1,
        .maximum = 100000},
    Key{.name = "session_expires",
        .kind = duration,
        .doc = "Session timer asked for (RFC 4028).",
        .standard = "1800s",
        .minimum = 90 * kSecond,
        .maximum = kDay},
    Key{.name = "max_redirects",
        .kind = integer,
        .doc =
            "How often a call may be sent on to a contact of a 301 or 302, and only to addresses "
            "of this trunk; 0: never.",
        .standard = "0",
        .maximum = 5},
    Key{.name = "capacity_phrase",
        .kind = expression,
        .doc = "RE2 on the reason phrase of a 480 or 5xx by which the trunk says that it has no "
               "room for the call; default: only its Q.850 cause says so.",
        .minimum = 1,
        .maximum = 256},
};
constexpr std::array kRoute{
    Key{.name = "from",
        .kind = text,
        .doc = "Who calls: user, trunk:NAME or any.",
        .required = true,
        .minimum = 1,
        .maximum = 256},
    Key{.name = "match",
        .kind = expression,
        .doc = "RE2 on the unescaped user part of the Request-URI.",
        .required = true,
        .minimum = 1,
        .maximum = 1024},
    Key{.name = "target",
        .kind = text,
        .doc = "trunk:NAME, user:NAME (captures as \\1) or service:echo, service:tone, "
               "service:policy.",
        .required = true,
        .minimum = 1,
        .maximum = 256},
};
constexpr std::array kFallback{
    Key{.name = "reject",
        .kind = integer,
        .doc = "SIP status when the policy service does not answer.",
        .standard = "503",
        .minimum = 400,
        .maximum = 699},
};
constexpr std::array kPolicy{
    Key{.name = "endpoint", .kind = endpoint, .doc = "HOST:PORT of the policy service."},
    Key{.name = "timeout",
        .kind = duration,
        .doc = "How long it may take to answer.",
        .standard = "500ms",
        .minimum = 10,
        .maximum = kMinute},
    Key{.name = "fallback",
        .kind = section,
        .doc = "What to do without an answer.",
        .members = kFallback},
    Key{.name = "authenticate_users",
        .kind = boolean,
        .doc = "Ask it for the users' passwords too.",
        .standard = "false"},
};
constexpr std::array kLimits{
    Key{.name = "max_calls",
        .kind = integer,
        .doc = "Calls at once.",
        .standard = "1000",
        .minimum = 1,
        .maximum = kMillion},
    Key{.name = "max_ended_calls",
        .kind = integer,
        .doc = "Calls that have ended and are still remembered for repeated messages, 32 s each.",
        .standard = "20000",
        .minimum = 1,
        .maximum = kMillion},
    Key{.name = "max_transactions",
        .kind = integer,
        .doc = "SIP transactions at once; most are remembered for 32 s after their end.",
        .standard = "100000",
        .minimum = 100,
        .maximum = 10 * kMillion,
        .change = Change::restart},
    Key{.name = "max_registrations",
        .kind = integer,
        .doc = "Registered contacts.",
        .standard = "20000",
        .minimum = 1,
        .maximum = 10 * kMillion},
};
constexpr std::array kDrain{
    Key{.name = "timeout",
        .kind = duration,
        .doc = "How long live calls are served after SIGTERM.",
        .standard = "300s",
        .maximum = kDay},
    Key{.name = "spread",
        .kind = duration,
        .doc = "Browsers without a call are sent elsewhere one after the other in this time.",
        .standard = "30s",
        .maximum = kHour},
};
constexpr std::array kReload{
    Key{.name = "watch",
        .kind = boolean,
        .doc = "Read this file, and those of secrets, again when they change.",
        .standard = "true"},
};
constexpr std::array kStore{
    Key{.name = "type",
        .kind = choice,
        .doc = "Where registrations are kept.",
        .standard = "memory",
        .choices = kStores},
    Key{.name = "url",
        .kind = secret,
        .doc = "redis://[:PASSWORD@]HOST[:PORT][/DB], of type redis."},
    Key{.name = "node_address",
        .kind = socket_address,
        .doc =
            "Where the other nodes reach this one by SIP, of type redis; default: what the first "
            "udp, else tcp, listener of listen.sip advertises."},
};
constexpr std::array kLog{
    Key{.name = "level",
        .kind = choice,
        .doc = "Least important level that is written.",
        .standard = "info",
        .choices = kLevels,
        .change = Change::live},
    Key{.name = "format",
        .kind = choice,
        .doc = "json: a line an object; console: text for people.",
        .standard = "json",
        .choices = kFormats},
};
constexpr std::array kCdr{
    Key{.name = "path",
        .kind = text,
        .doc = "File that the records are appended to, relative to the folder of the configuration "
               "file.",
        .required = true,
        .maximum = 4096},
    Key{.name = "max_size",
        .kind = size,
        .doc = "At this size the file is put aside as PATH.1, PATH.2 … and another begun.",
        .standard = "64MiB",
        .minimum = 65536,
        .maximum = std::int64_t{1} << 40},
    Key{.name = "spool_limit",
        .kind = size,
        .doc = "Room for the files that were put aside; beyond it the oldest is removed.",
        .standard = "1GiB",
        .minimum = 65536,
        .maximum = std::int64_t{1} << 50},
    Key{.name = "queue",
        .kind = integer,
        .doc = "Calls whose records may wait while the file can't be written; of more no record is "
               "kept.",
        .standard = "10000",
        .minimum = 100,
        .maximum = 1000000},
};
constexpr std::array kDns{
    Key{.name = "servers",
        .kind = socket_address,
        .doc = "ADDR:PORT of the DNS servers that trunks are located by; default: the system's.",
        .shape = Shape::list},
};
constexpr std::array kFile{
    Key{.name = "node",
        .kind = name,
        .doc = "Name of this instance in logs and metrics; default: the host name.",
        .of_node = true},
    Key{.name = "domain",
        .kind = host,
        .doc = "SIP domain of the browser users; also the digest realm."},
    Key{.name = "listen",
        .kind = section,
        .doc = "Listeners. Absent: on 127.0.0.1 a WebSocket on 8080, gRPC on 50051, admin on 9090.",
        .members = kListen},
    Key{.name = "websocket",
        .kind = section,
        .doc = "All WebSocket listeners.",
        .members = kWebSocket},
    Key{.name = "web", .kind = section, .doc = "Pages.", .members = kWeb},
    Key{.name = "media", .kind = section, .doc = "Audio.", .members = kMedia},
    Key{.name = "users",
        .kind = section,
        .doc = "Browser users with a password.",
        .shape = Shape::list,
        .members = kUser,
        .change = Change::live},
    Key{.name = "digest",
        .kind = section,
        .doc = "How users show who they are (RFC 7616).",
        .members = kDigest,
        .change = Change::live},
    Key{.name = "credentials",
        .kind = section,
        .doc = "Short-lived credentials.",
        .members = kCredentials},
    Key{.name = "trunks",
        .kind = section,
        .doc = "SIP trunks.",
        .shape = Shape::list,
        .members = kTrunk,
        .change = Change::live},
    Key{.name = "dns",
        .kind = section,
        .doc = "How trunks are located (RFC 3263).",
        .members = kDns},
    Key{.name = "routes",
        .kind = section,
        .doc = "Routing rules; the first that matches wins.",
        .shape = Shape::list,
        .members = kRoute,
        .change = Change::live},
    Key{.name = "policy",
        .kind = section,
        .doc = "A service of yours that decides calls.",
        .members = kPolicy,
        .change = Change::live},
    Key{.name = "limits",
        .kind = section,
        .doc = "Limits of the node.",
        .members = kLimits,
        .change = Change::live},
    Key{.name = "drain",
        .kind = section,
        .doc = "Graceful end.",
        .members = kDrain,
        .change = Change::live},
    Key{.name = "reload",
        .kind = section,
        .doc = "Other values while the gateway runs.",
        .members = kReload},
    Key{.name = "store", .kind = section, .doc = "Store of registrations.", .members = kStore},
    Key{.name = "log", .kind = section, .doc = "Log on standard output.", .members = kLog},
    Key{.name = "cdr",
        .kind = section,
        .doc = "Records of calls that have ended, as lines of JSON.",
        .members = kCdr},
};
constexpr Key kRoot{.name = "",
                    .kind = section,
                    .doc = "Configuration of the Trunkline gateway.",
                    .members = kFile};

}  // namespace

const Key& root() {
  return kRoot;
}

std::string_view kind_words(Kind kind) {
  switch (kind) {
    case section:
      return "a map of keys";
    case text:
      return "text";
    case name:
      return "a name of letters, digits, '-', '_' and '.', at most 64 characters";
    case user:
      return "a user name of printable characters without spaces and any of \"<>@:;/?%\\, at most "
             "64";
    case host:
      return "a host name or an IP address without port";
    case secret:
      return "text";
    case file:
      return "the path of a file";
    case integer:
      return "a whole number";
    case boolean:
      return "true or false";
    case duration:
      return "a duration such as 500ms, 30s, 5m or 1h";
    case size:
      return "a size such as 512B, 64KiB or 1MiB";
    case ip:
      return "an IP address such as 192.0.2.1 or 2001:db8::1";
    case socket_address:
      return "an address with port such as 127.0.0.1:8080 or [2001:db8::1]:8080";
    case endpoint:
      return "a host with port such as 127.0.0.1:50061";
    case address_range:
      return "ADDR, CIDR or ADDR:PORT such as 192.0.2.0/24";
    case port_range:
      return "a range of ports such as 20000-20999";
    case origin:
      return "an origin such as https://app.example.test, without a path";
    case sip_uri:
      return "sip:HOST[:PORT][;transport=udp|tcp|tls]";
    case expression:
      return "an RE2 expression";
    case choice:
      return "one of the choices";
  }
  return "text";
}

}  // namespace trunkline::config
