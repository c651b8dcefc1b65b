// Options that endanger, mislead or do nothing beside the others.
#include "common/config/option_rules.hpp"

#include <gtest/gtest.h>

#include <string>

#include "common/config/options.hpp"

namespace mpb {
namespace {

std::string listener(std::string_view name, const std::string& lines) {
  return "[listener " + std::string(name) + "]\nlisten = 127.0.0.1:0\n" + lines + "\n";
}

const std::string kRelay = listener("r", "protocol = rtmp");
const std::string kForward = listener("f", "protocol = rtmp\nhandler = forward");
const std::string kControl = listener("c", "protocol = control");
const std::string kUnixRelay = "[listener u]\nlisten = unix:/x\nprotocol = rtmp\n";
const std::string kUpstream = "upstream = 127.0.0.1:9\n";

std::string vhost(const std::string& lines) {
  return "[vhost a.test]\n" + lines + "\n";
}

struct Case {
  std::string text;
  std::string told;  // a part of what is told; empty: nothing
};

std::string warnings_of(const std::string& text) {
  std::vector<Warning> warnings;
  const auto settings = parse_config(text, "mp.ini", &warnings);
  if (!settings) return "error: " + settings.error().text;
  std::string told;
  for (const Warning& warning : warnings) told += warning.text() + "\n";
  return told;
}

void expect_warnings(const std::vector<Case>& cases) {
  for (const auto& [text, told] : cases) {
    const std::string warnings = warnings_of(text);
    EXPECT_FALSE(warnings.starts_with("error: ")) << text << warnings;
    if (told.empty()) {
      EXPECT_EQ(warnings, "") << text;
    } else {
      EXPECT_NE(warnings.find(told), std::string::npos) << text << "-> " << warnings;
    }
  }
}

void expect_errors(const std::vector<Case>& cases) {
  for (const auto& [text, told] : cases) {
    const std::string error = warnings_of(text);
    EXPECT_TRUE(error.starts_with("error: ")) << text << error;
    EXPECT_NE(error.find(told), std::string::npos) << text << "-> " << error;
  }
}

TEST(OptionRules, WhatEndangersIsAnError) {
  const std::string own = "worker-program = w\n";
  expect_errors({
      {own + listener("o", "protocol = rooms\nprefix = proxy"),
       "mp.ini:5: [listener o] prefix = proxy: expected protocol rtmp"},
      {listener("c", "prefix = srs-real-ip"), "prefix = srs-real-ip: expected protocol rtmp"},
      {listener("r", "protocol = rtmp\nprefix = proxy"),
       "prefix = proxy: expected prefix-from beside it"},
      {listener("r", "protocol = rtmp\nprefix = srs-real-ip"),
       "prefix = srs-real-ip: expected prefix-from beside it"},
      {"[listener u]\nlisten = unix:/x\nprotocol = rtmp\nprefix = proxy\n", "prefix-from = unix:"},
      {listener("c", "key = vhost/app/stream"), "expected protocol rtmp"},
      {"[listener l]\nlisten = unix:@name\nmode = 0600\n", "an abstract socket has no permissions"},
      {kForward + vhost(kUpstream + "publish-key = s"),
       "publish-key = ...: its clients are forwarded"},
      {kForward + vhost(kUpstream + "play-secret = s"),
       "play-secret = ...: its clients are forwarded"},
      {kRelay + vhost("handler = forward\npublish-key = s\n" + kUpstream),
       "publish-key = ...: its clients are forwarded"},
      {kForward + vhost(kUpstream + "publish-allow = 10.0.0.0/8"), "its clients are forwarded"},
      {kForward + vhost(kUpstream + "play-deny = all"), "its clients are forwarded"},
      {kForward + vhost(kUpstream + "on-publish = http://127.0.0.1/"), "its clients are forwarded"},
      {"[listener f]\nlisten = 127.0.0.1:9\nprotocol = rtmp\nhandler = forward\n" +
           vhost(kUpstream),
       "upstream = 127.0.0.1:9: a listener that forwards has this address"},
      {"[listener r]\nlisten = 127.0.0.1:9\nprotocol = rtmp\n" +
           vhost("handler = forward\n" + kUpstream),
       "upstream = 127.0.0.1:9: a listener that forwards has this address"},
  });
}

const std::string kIsolating = "max-workers = 9\n";

TEST(OptionRules, WhatIsSetOfCellsNeedsAListenerThatIsolates) {
  const std::string user = "user = root\n";
  expect_errors({
      {listener("r", "protocol = rtmp") + vhost(user), "no listener of its clients has isolate"},
      {kIsolating + listener("c", "isolate = key") +
           "[listener r]\nlisten = :2\nprotocol = rtmp\n" + vhost(user),
       "no listener of its clients has isolate"},
      {listener("c", "protocol = control") + "[key 7]\n" + user,
       "[key 7] user = root: no listener of its clients has isolate"},
      {kIsolating + listener("r", "protocol = rtmp\nisolate = key") + "[key 7]\n" + user,
       "no listener of its clients"},
      {kIsolating + listener("c", "isolate = key") + "[key 7]\nprotocol = ping\n" + user,
       "no listener of its clients"},
      {kIsolating + listener("c", "isolate = key") + "[key 7]\ngroup = root\n",
       "[key 7] group = root: expected user beside it"},
      {kIsolating + listener("r", "protocol = rtmp\nisolate = key") + vhost("group = root\n"),
       "expected user beside it"},
      {kIsolating + listener("c", "isolate = key") + "[key 7]\nprotocol = rtmp\n",
       "protocol = rtmp: of rtmp it is set by [vhost NAME] sections"},
  });
  expect_warnings({
      {kIsolating + listener("c", "isolate = key") + "[key 7]\n" + user, ""},
      {kIsolating + listener("c", "isolate = key") + "[key 7*]\nprotocol = control\n" + user, ""},
      {kIsolating + listener("r", "protocol = rtmp\nisolate = key") + vhost(user), ""},
      {kIsolating + listener("c", "isolate = key") + "[listener d]\nlisten = :2\n[key 7]\n" + user,
       "who comes by a listener without isolate = key"},
      {listener("c", "") + "[key 7]\nnofile = 200\n", "nofile = 200: no listener of its clients"},
      {listener("c", "rollover = 1h"), "without isolate = key"},
      {kIsolating + listener("c", "isolate = key\nrollover = 1h"), ""},
      {"max-failures = 2\n" + listener("c", ""), "max-failures = 2: no listener has isolate = key"},
      {kIsolating + "recovery-time = 1m\n" + listener("c", "isolate = key"),
       "without max-failures no key is closed"},
      {kIsolating + "max-failures = 2\nrecovery-time = 1m\n" + listener("c", "isolate = key"), ""},
  });
}

/// A listener that forwards to `upstream`.
std::string forwarding(const std::string& listen, const std::string& upstream) {
  return "[listener f]\nlisten = " + listen + "\nprotocol = rtmp\nhandler = forward\n" +
         vhost("upstream = " + upstream);
}

TEST(OptionRules, WhoForwardsToItselfIsToldHoweverTheAddressIsWritten) {
  const std::string told = "its clients would go round for ever";
  expect_errors({
      {forwarding(":9", "127.0.0.1:9"), told},
      {forwarding("*:9", "127.1.2.3:9"), told},
      {forwarding("0.0.0.0:9", "localhost:9"), told},
      {forwarding("[::]:9", "[::1]:9"), told},
      {forwarding("[::]:9", "localhost:9"), told},
      {forwarding("localhost:9", "127.0.0.1:9"), told},
      {forwarding("127.0.0.1:9", "0.0.0.0:9"), told},
      {forwarding("here.test:9", "here.test:9"), told},
      {forwarding("unix:/x", "unix:/x"), told},
  });
  expect_warnings({
      {forwarding(":9", "127.0.0.1:10"), ""},
      {forwarding(":9", "192.0.2.1:9"), ""},
      {forwarding(":9", "[::1]:9"), ""},
      {forwarding("127.0.0.2:9", "127.0.0.1:9"), ""},
      {forwarding(":0", "127.0.0.1:9"), ""},
  });
}

TEST(OptionRules, WhatHardlyIsMeantIsAWarning) {
  expect_warnings({
      {listener("r", "protocol = rtmp\noverflow = spill"),
       "mp.ini:4: [listener r] overflow = spill: players who are sent"},
      {listener("r", "protocol = rtmp\noverflow = refuse"), ""},
      {listener("r", "protocol = rtmp\nhandler = forward\noverflow = spill") + vhost(kUpstream),
       ""},
      {listener("c", "overflow = spill"), ""},
      {"workers = 1\n" + listener("r", "protocol = rtmp\noverflow = spill"), ""},
      {listener("r", "protocol = rtmp\nsticky = no"), "may be in different workers"},
      {"clients-per-source = 5\n" +
           listener("r", "protocol = rtmp\nprefix = proxy\nprefix-from = ::1"),
       "all clients of a proxy count as one source"},
      {listener("r", "protocol = rtmp\nprefix = srs-real-ip\nprefix-from = ::1, all") +
           vhost("play-deny = 10.0.0.0/8"),
       "whoever can connect can claim any address"},
      {listener("r", "protocol = rtmp\nprefix = proxy\nprefix-from = 0.0.0.0/0") +
           vhost("play-deny = 10.0.0.0/8"),
       "whoever can connect can claim any address"},
      {listener("r", "protocol = rtmp\nprefix = proxy\nprefix-from = 10.0.0.0/8, ::1") +
           vhost("play-deny = 10.0.0.0/8"),
       ""},
      {listener("r", "protocol = rtmp\nprefix = proxy\nprefix-from = unix:"),
       "clients of this listener have addresses"},
      {"[listener u]\nlisten = unix:/x\nprotocol = rtmp\nprefix = proxy\nprefix-from = ::1\n",
       "prefix-from = ::1: clients of a unix socket have no address"},
      {"[listener u]\nlisten = unix:/x\nprotocol = rtmp\nprefix = proxy\nprefix-from = unix:\n",
       ""},
      {kRelay + kForward + vhost(kUpstream + "publish-key = s"),
       "publish-key = ...: it does not hold for clients that are forwarded"},
      {kRelay + kForward + vhost("publish-key = s") + "[vhost b]\n" + kUpstream, ""},
      {kRelay + kForward + vhost(kUpstream + "handler = relay\npublish-key = s") + "[vhost b]\n" +
           kUpstream,
       "upstream = 127.0.0.1:9: no listener forwards clients of the vhost"},
      {"[listener r]\nlisten = 127.0.0.1:9\nprotocol = rtmp\n" + kForward + vhost(kUpstream), ""},
      {kUnixRelay + vhost("publish-deny = 10.0.0.0/8"), "clients of a unix socket have no address"},
      {kUnixRelay + vhost("publish-deny = all"), ""},
      {kRelay + vhost("publish-allow = 10.0.0.0/8\npublish-deny = all"), "everybody is refused"},
      {kRelay + vhost("latency = merge:2s\nqueue = 1s"), "queue = 1s: latency gathers for longer"},
      {kRelay + vhost("latency = merge:10s"), "latency = merge:10s: queue, which is 10s"},
      {kRelay + vhost("latency = merge:9s"), ""},
  });
}

TEST(OptionRules, WhatDoesNothingIsAWarning) {
  expect_warnings({
      {listener("r", "protocol = rtmp\nprefix-from = ::1"),
       "prefix-from = ::1: without prefix nobody is asked for one"},
      {"gop-memory = 256MiB\n" + kControl, "gop-memory = 256MiB: no listener relays RTMP streams"},
      {"gop-memory = 256MiB\n" + kForward + vhost(kUpstream), "no listener relays RTMP streams"},
      {"gop-memory = 256MiB\n" + kForward + vhost(kUpstream) + "[vhost b]\nhandler = relay\n", ""},
      {"gop-memory = 256MiB\n" + kRelay, ""},
      {"gop-memory = 512MiB\n" + kRelay, "media-memory, of which this is a part"},
      {"gop-memory = 512MiB\nmedia-memory = 0\n" + kRelay, ""},
      {"media-memory = 32MiB\n" + kRelay, "a single key frame may take 16MiB"},
      {"media-memory = 32MiB\n" + kControl, ""},
      {"answer-timeout = 5s\n" + kControl, "without control-socket nobody can ask"},
      {"answer-timeout = 5s\ncontrol-socket = /x\n" + kControl, ""},
      {kRelay + vhost("publisher = silent:30s"), "publish-timeout closes a silent publisher"},
      {kRelay + vhost("publisher = silent:30s\npublish-timeout = 0"), ""},
      {kRelay + vhost("publisher = last"), ""},
      {kControl + vhost("publish-key = s"),
       "mp.ini:4: [vhost a.test]: no listener has protocol rtmp"},
      {kControl + vhost(""), "no listener has protocol rtmp"},
      {kControl + vhost("gop-cache = yes"), ""},
      {"worker-program = w\n" + listener("o", "protocol = rooms") + vhost("jitter = off"), ""},
      {kRelay + vhost(kUpstream),
       "upstream = 127.0.0.1:9: no listener forwards clients of the vhost"},
      {kRelay + vhost("upstream-timeout = 1s"), "upstream-timeout = 1s: no listener"},
      {kRelay + vhost("handler = forward\n" + kUpstream), ""},
      {kRelay + vhost("handler = forward\nlatency = merge:1s\n" + kUpstream),
       "latency = merge:1s: no listener"},
      {kForward + vhost("upstream-fails = 1") + "[vhost b]\n" + kUpstream,
       "the vhost has no upstream"},
      {kForward + vhost(kUpstream + "upstream-fails = 1"), ""},
      {kForward + vhost(kUpstream + "latency = merge:1s"), "latency = merge:1s: no listener"},
      {kForward + vhost(kUpstream + "on-stop = http://127.0.0.1/"), "on-stop"},
      {kForward + vhost(kUpstream + "max-players = 1"), "max-players = 1: no listener"},
      {kRelay + vhost("hook-timeout = 1s"), "the vhost has no callback"},
      {kRelay + vhost("hook-failure = open\non-stop = http://127.0.0.1/"), "the vhost asks nobody"},
      {kRelay + vhost("hook-failure = open\non-play = http://127.0.0.1/"), ""},
      {listener("c", "mode = 0600"), "mode = 0600: it is about unix sockets"},
      {"[listener u]\nlisten = unix:/x\nmode = 0600\n", ""},
      {listener("p", "protocol = ping\npolicy = hash"),
       "clients of this listener belong to no worker"},
      {listener("p", "protocol = ping\nroute = a=0"),
       "clients of this listener belong to no worker"},
      {listener("f",
                "protocol = rtmp\nhandler = forward\nkey = vhost/app/stream\nroute = a/b/c=0") +
           vhost(kUpstream),
       "clients of this listener belong to no worker"},
      {"key-linger = 5s\n" + listener("p", "protocol = ping"), "key-linger = 5s: no listener"},
      {"max-keys = 5\n" + listener("c", "sticky = no"), "max-keys = 5: no listener"},
      {"max-keys = 5\n" + kControl, ""},
      {listener("c", "sticky = no\noverflow = refuse"), "keys have no owner that could be full"},
      {listener("c", "policy = p2c\nroute = *=0\nroute = 7=1"), "each key has a route to one slot"},
      {listener("c", "policy = p2c\nroute = *=0,1"), ""},
      {listener("c", "route = seven=0"), "no client has such a key"},
      {listener("c", "route = 007=0"), "no client has such a key"},
      {listener("c", "route = -7=0"), ""},
      {listener("r", "protocol = rtmp\nroute = A.test=0"), "no client has such a key"},
      {listener("r", "protocol = rtmp\nroute = a.test/live/s=0"), "no client has such a key"},
      {listener("r", "protocol = rtmp\nroute = a.test=0\nroute = *=1"), ""},
      {listener("r", "protocol = rtmp\nkey = vhost/app/stream\nroute = a.test=0"), "no client has"},
      {listener("r", "protocol = rtmp\nkey = vhost/app/stream\nroute = a.test/live/s=0"), ""},
      {"worker-program = w\n" + listener("o", "protocol = rooms\nroute = A b=0"), ""},
      {"worker-program = w\n" + listener("o", "protocol = rooms\nkey = vhost/app/stream"),
       "the only one that reads it"},
      {"linger = 5s\n" + kControl, "linger = 5s: there are no extra workers"},
      {"linger = 5s\nmax-workers = 3\n" + kControl, ""},
      {"grow-at = 80\nmax-workers = 2\n" + kControl, "grow-at = 80: there are no extra workers"},
      {"clients-per-source = 5\n[listener u]\nlisten = unix:/x\n",
       "clients of unix sockets have no"},
      {"workers = 0\nmax-workers = 3\n" + kControl,
       "max-workers = 3: a single process has no broker"},
      {"workers = 0\n" + listener("c", "policy = hash"), "policy = hash: a single process"},
      {"workers = 0\nspawn = exec\n" + kControl, "spawn = exec: a single process has no broker"},
      {"spawn = zygote\nuser = 60600..60663\n" + kControl, "spawn = zygote: with a user for each"},
      {"spawn = zygote\n" + kControl, ""},
  });
}

TEST(OptionRules, AreToldInTheOrderOfTheLinesAndCarryNoSecret) {
  const std::string told = warnings_of("linger = 5s\n" + listener("c", "mode = 0600") +
                                       "[listener b]\nlisten = 127.0.0.1:0\nmode = 0600\n");
  EXPECT_LT(told.find("mp.ini:1:"), told.find("mp.ini:4:")) << told;
  EXPECT_LT(told.find("mp.ini:4:"), told.find("mp.ini:7:")) << told;
  const std::string secret =
      warnings_of(kRelay + kForward + vhost(kUpstream + "play-key = s3cret"));
  EXPECT_EQ(secret.find("s3cret"), std::string::npos) << secret;
}

TEST(OptionRules, ManyVhostsAreJudgedInNoTime) {
  std::string text = kRelay;
  for (int i = 0; i < 20'000; ++i) {
    text += "[vhost v" + std::to_string(i) + "]\npublish-key = s\nhook-timeout = 1s\n";
  }
  std::vector<Warning> warnings;
  ASSERT_TRUE(parse_config(text, "mp.ini", &warnings));
  EXPECT_LE(warnings.size(), 21U) << "and a word that there are more";
}

TEST(OptionRules, IsolateNeedsWorkersToStartAndKeysToTellApart) {
  const std::string room = "max-workers = 10\n";
  expect_warnings({{room + listener("c", "isolate = key"), ""},
                   {room + listener("c", "isolate = key\npolicy = p2c"), ""},
                   {room + listener("c", "isolate = client\nisolate-overflow = refuse"), ""},
                   {room + "spare-workers = 2\n" + listener("c", "isolate = client"), ""},
                   {room + listener("p", "protocol = ping\nisolate = client"), ""},
                   {room + kRelay + "isolate = key\n", ""},
                   {room + kRelay + "isolate = client\n", "never meet"},
                   {room + listener("c", "isolate = client\nroute = 7=0"), "not isolated"},
                   {room + listener("c", "isolate = client\nsticky = no"), "a process of its own"},
                   {room + listener("c", "isolate-overflow = refuse"), "without isolate"},
                   {room + "spare-workers = 2\n" + kControl, "no listener has isolate"},
                   {room + "spare-workers = 9\n" + listener("c", "isolate = key"), "fewer"}});
  expect_errors({{listener("c", "isolate = key"), "max-workers above workers"},
                 {"workers = 0\n" + listener("c", "isolate = key"), "a single process"},
                 {room + listener("c", "isolate = key\npolicy = local"), "policy = local"},
                 {room + listener("c", "isolate = client\npolicy = hash"), "policy = local"},
                 {room + listener("c", "isolate = key\nsticky = no"), "have no owner"},
                 {room + listener("p", "protocol = ping\nisolate = key"), "isolate = client"},
                 {room + listener("c", "isolate = key\nroute = *=0"), "route *"}});
}

}  // namespace
}  // namespace mpb
