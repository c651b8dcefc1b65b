// Configuration text: sections, keys, values and contradictions.
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "common/options.hpp"

namespace mpb {
namespace {

constexpr const char* kFile = "mp.ini";

std::string error_of(const std::string& text) {
  const auto settings = parse_config(text, kFile);
  if (settings) return "no error";
  EXPECT_EQ(settings.error().kind, ErrorKind::kUsage);
  return settings.error().text;
}

/// One listener `l` whose section starts at line 1 and has `lines` from line 3 on.
std::string listener(const std::string& lines) {
  return "[listener l]\nlisten = :1\n" + lines;
}

/// `lines` from line 1 on, and a listener.
std::string global(const std::string& lines) {
  return lines + "\n[listener l]\nlisten = :1\n";
}

TEST(Config, ReadsSectionsCommentsAndBlanks) {
  const auto s = parse_config(
      "# a comment\n\n  workers=3 # another\r\n\n[listener rtmp-1.a_B]\n\tlisten = [::1]:7\n"
      "[ listener x ]\n",
      kFile);
  ASSERT_FALSE(s);  // blanks around a section's name are not taken
  const auto good = parse_config(
      "# a comment\n\n  workers=3 # another\r\n\n[listener rtmp-1.a_B]\n\tlisten = [::1]:7\n"
      "[listener   ends.]\nlisten=/x",
      kFile);
  ASSERT_TRUE(good) << good.error().text;
  EXPECT_EQ(good->workers, 3);
  ASSERT_EQ(good->listeners.size(), 2U);
  EXPECT_EQ(good->listeners[0].name, "rtmp-1.a_B");
  EXPECT_EQ(good->listeners[0].endpoint.to_string(), "[::1]:7");
  EXPECT_EQ(good->listeners[1].name, "ends.");
  EXPECT_EQ(good->listeners[1].endpoint.to_string(), "unix:/x");
}

TEST(Config, TellsFileLineAndWhatIsExpected) {
  const std::pair<std::string, std::string> wrong[] = {
      {"",
       "mp.ini: no listener: give --listen ADDRESS or a [listener NAME] section with listen = "
       "ADDRESS"},
      {"workers = 2\n",
       "mp.ini: no listener: give --listen ADDRESS or a [listener NAME] section "
       "with listen = ADDRESS"},
      {"workers\n",
       "mp.ini:1: 'workers': expected key = value or [section]; a comment begins with "
       "#"},
      {"; old\n", "mp.ini:1: '; old': expected key = value or [section]; a comment begins with #"},
      {"\n= 3\n", "mp.ini:2: '= 3': expected key = value or [section]; a comment begins with #"},
      {"[]\n", "mp.ini:1: '[]': expected [section]"},
      {"[\n", "mp.ini:1: '[': expected [section]"},
      {"[listener a\n", "mp.ini:1: '[listener a': expected [section]"},
      {"[listener a]=3\n", "mp.ini:1: '[listener a]=3': expected [section]"},
      {"[broker]\n",
       "mp.ini:1: [broker]: unknown section: expected [listener NAME] or [vhost NAME], "
       "NAME of letters, digits, '_', '.' or '-'"},
      {"[listener]\n",
       "mp.ini:1: [listener]: unknown section: expected [listener NAME] or [vhost NAME], "
       "NAME of letters, digits, '_', '.' or '-'"},
      {"[listener a b]\n",
       "mp.ini:1: [listener a b]: unknown section: expected [listener NAME] or [vhost "
       "NAME], NAME of letters, digits, '_', '.' or '-'"},
      {"[listener a]\n", "mp.ini:1: [listener a]: listen is missing: expected listen = ADDRESS"},
      {listener("[listener l]\n"),
       "mp.ini:3: [listener l]: a listener of this name is there "
       "already: mp.ini:1: [listener l]"},
      {listener("policy = fastest"),
       "mp.ini:3: [listener l] policy = fastest: expected one of least, hash, p2c, local"},
      {listener("polcy = hash"),
       "mp.ini:3: [listener l] polcy = hash: unknown key; did you mean policy?"},
      {listener("nonsense-at-all = 1"),
       "mp.ini:3: [listener l] nonsense-at-all = 1: unknown key; --help lists the known ones"},
      {listener("workers = 3"),
       "mp.ini:3: [listener l] workers = 3: belongs to no section: "
       "expected before the first one"},
      {global("policy = hash"),
       "mp.ini:1: policy = hash: belongs to a listener: expected in a "
       "[listener NAME] section"},
      {global("help = 1"), "mp.ini:1: help = 1: can be given on the command line only"},
      {global("worker = 1"), "mp.ini:1: worker = 1: unknown key; did you mean workers?"},
      {global("a.b = 1"), "mp.ini:1: a.b = 1: unknown key; --help lists the known ones"},
      {global("workers = 1\nworkers = 1"),
       "mp.ini:2: workers = 1: given twice; before: mp.ini:1: workers = 1"},
      {listener("protocol = telepathy"),
       "mp.ini:3: [listener l] protocol = telepathy: expected one of control, ping, rtmp (others "
       "need a worker-program that knows them)"},
      {listener("protocol = rtmp\nhandler = echo"),
       "mp.ini:4: [listener l] handler = echo: expected one of relay, forward for protocol rtmp "
       "(others need a worker-program that knows them)"},
      {listener("key = vhost/app/stream"),
       "mp.ini:3: [listener l] key = vhost/app/stream: expected protocol rtmp: protocol control "
       "has no such thing"},
      {listener("prefix = proxy\nprotocol = ping"),
       "mp.ini:3: [listener l] prefix = proxy: expected protocol rtmp: protocol ping has no such "
       "thing"},
      {listener("protocol = rtmp\nhandler = forward\n[vhost a.test]\nlatency = realtime"),
       "mp.ini:4: [listener l] handler = forward: there is no upstream: expected upstream = "
       "ADDRESS in a [vhost NAME] section"},
      {global("latency = realtime"),
       "mp.ini:1: latency = realtime: belongs to a vhost: expected in a [vhost NAME] section"},
      {listener("handler = relay"),
       "mp.ini:3: [listener l] handler = relay: expected one of echo for protocol control (others "
       "need a worker-program that knows them)"},
      {listener("[listener m]\nlisten = 0.0.0.0:1"),
       "mp.ini:4: [listener m] listen = 0.0.0.0:1: the address is taken by 'mp.ini:2: [listener l] "
       "listen = :1': expected another one"},
      {"control-socket = /a\n[listener l]\nlisten = unix:/a\n",
       "mp.ini:3: [listener l] listen = unix:/a: the address is taken by 'mp.ini:1: control-socket "
       "= /a': expected another one"},
      {global("max-workers = 1"),
       "mp.ini:1: max-workers = 1: contradicts 'workers = 2 (default)': "
       "expected max-workers to be at least workers"},
      {global("acceptors = 0"),
       "mp.ini:1: acceptors = 0: expected at least 1: somebody must accept the clients"},
      {global("acceptors = 3\nworkers = 2"),
       "mp.ini:1: acceptors = 3: contradicts 'mp.ini:2: workers = 2': expected acceptors to be at "
       "most workers"},
      {global("ping-interval = 5s"),
       "mp.ini:1: ping-interval = 5s: contradicts 'ping-limit = 5s "
       "(default)': expected ping-limit above ping-interval"},
      {listener("route = k=2"),
       "mp.ini:3: [listener l] route = k=2: there is no slot 2: expected "
       "slots from 0 to 1 (workers = 2 (default))"},
      {"max-workers = 4\n" + listener("route = *=0,4"),
       "mp.ini:4: [listener l] route = *=0,4: there is no slot 4: expected slots from 0 to 3 "
       "(mp.ini:1: max-workers = 4)"},
      {listener("route = k=0\nroute = k = 1"),
       "mp.ini:4: [listener l] route = k = 1: given twice; "
       "before: mp.ini:3: [listener l] route = k=0"},
  };
  for (const auto& [text, told] : wrong) EXPECT_EQ(error_of(text), told) << text;
}

TEST(Config, RefusesNulBytesAndTooMuch) {
  EXPECT_EQ(error_of(std::string("workers = 2\n\0=1\n", 16)),
            "mp.ini:2: '?=1': expected text, found a NUL byte");
  EXPECT_NE(error_of(std::string(kMaxConfigSize + 1, '#')).find("mp.ini: larger than 16777216"),
            std::string::npos);
  EXPECT_NE(error_of(std::string(kMaxConfigSize, '#')).find("no listener"), std::string::npos);
}

TEST(Config, LongTextIsCutInMessages) {
  EXPECT_LT(error_of(std::string(100'000, 'k') + " = " + std::string(100'000, 'v')).size(), 500U);
}

TEST(Config, GoodValues) {
  for (const char* line :
       {"workers = 1000", "workers = 0", "max-workers = 1000", "acceptors = 2", "grow-at = 1",
        "grow-at = 100", "linger = 0", "idle-timeout = 49d", "max-clients = 1000000000",
        "start-timeout = 1ms", "user =", "user = 1000", "group = staff", "control-socket =",
        "control-socket = mp.sock", "log-level = off", "header-timeout = 0", "max-keys = 1"}) {
    EXPECT_EQ(error_of(global(line)), "no error") << line;
  }
  for (const char* line :
       {"handler =", "handler = echo", "protocol = ping", "sticky = yes", "overflow = refuse",
        "policy = local", "backlog = 1", "backlog = 65535", "mode = 0", "mode = 777",
        "route = * = 1 , 0", "route = a b=1", "route = a=b=0", "protocol = rtmp",
        "protocol = rtmp\nhandler = relay\nkey = vhost\nprefix = none",
        "protocol = rtmp\nkey = vhost/app/stream\nprefix = proxy",
        "protocol = rtmp\nprefix = srs-real-ip", "key = vhost", "prefix = none"}) {
    EXPECT_EQ(error_of(listener(line)), "no error") << line;
  }
}

TEST(Config, BadValues) {
  for (const char* line : {"workers = 1001",
                           "workers = -1",
                           "workers = two",
                           "workers =",
                           "workers = 2 3",
                           "max-workers = 1001",
                           "acceptors = x",
                           "grow-at = 0",
                           "grow-at = 101",
                           "grow-at = 80%",
                           "linger = 5",
                           "linger = 50d",
                           "linger = 1.5s",
                           "start-timeout = 0",
                           "ping-interval = 0",
                           "ping-limit = 0s",
                           "route-timeout = 0",
                           "max-clients = -1",
                           "max-clients = 1000000001",
                           "max-keys = 0",
                           "user = a b",
                           "user = a:b",
                           "group = a/b",
                           "log-level = INFO",
                           "log-level = trace",
                           "clients-per-source = none"}) {
    const std::string error = error_of(global(line));
    EXPECT_TRUE(error.starts_with(std::string("mp.ini:1: ") + line)) << error;
    EXPECT_NE(error.find(": expected "), std::string::npos) << error;
  }
  for (const char* line : {"listen = localhost:1",
                           "protocol =",
                           "protocol = a/b",
                           "handler = a b",
                           "sticky = true",
                           "overflow = drop",
                           "policy =",
                           "backlog = 0",
                           "backlog = 65536",
                           "mode = 0888",
                           "mode = 1777",
                           "mode = rw",
                           "key = app",
                           "prefix = proxy-v1",
                           "route = k",
                           "route = =1",
                           "route = k=",
                           "route = k=1,",
                           "route = k=1,1",
                           "route = k=1000",
                           "route = k=-1",
                           "route = k=x"}) {
    const std::string error = error_of(listener(line));
    EXPECT_TRUE(error.starts_with(std::string("mp.ini:3: [listener l] ") + line)) << error;
    EXPECT_NE(error.find(": expected "), std::string::npos) << error;
  }
}

TEST(Config, BoundsOfNamesAndPaths) {
  EXPECT_EQ(error_of("worker-program = w\n" + listener("protocol = " + std::string(255, 'p'))),
            "no error");
  EXPECT_NE(error_of("worker-program = w\n" + listener("protocol = " + std::string(256, 'p'))),
            "no error");
  EXPECT_EQ(error_of("[listener " + std::string(255, 'n') + "]\nlisten = :1"), "no error");
  EXPECT_NE(error_of("[listener " + std::string(256, 'n') + "]\nlisten = :1"), "no error");
  EXPECT_EQ(error_of(global("control-socket = " + std::string(107, 'p'))), "no error");
  EXPECT_NE(error_of(global("control-socket = " + std::string(108, 'p'))), "no error");
  EXPECT_EQ(error_of(listener("route = " + std::string(1024, 'k') + "=0")), "no error");
  EXPECT_NE(error_of(listener("route = " + std::string(1025, 'k') + "=0")), "no error");
}

TEST(Config, WorkerProgramKnowsItsOwnNames) {
  EXPECT_EQ(error_of("worker-program = w\n" + listener("protocol = rtmp\nhandler = relay.2")),
            "no error");
  EXPECT_EQ(error_of("worker-program = w\n" + listener("protocol = other\nkey = "
                                                       "vhost/app/stream\nprefix = proxy")),
            "no error");
}

TEST(Config, PortZeroIsNeverTheSame) {
  EXPECT_EQ(error_of("[listener a]\nlisten = 127.0.0.1:0\n[listener b]\nlisten = 127.0.0.1:0\n"),
            "no error");
}

TEST(Config, ManyListenersAndRoutes) {
  std::string text;
  for (int i = 1; i <= 2000; ++i) {
    text += "[listener l" + std::to_string(i) + "]\nlisten = :" + std::to_string(i) + "\n";
  }
  for (int i = 0; i < 20'000; ++i) text += "route = " + std::to_string(i) + "=0\n";
  const auto settings = parse_config(text, kFile);
  ASSERT_TRUE(settings) << settings.error().text;
  EXPECT_EQ(settings->listeners.size(), 2000U);
  EXPECT_EQ(settings->listeners.back().pins.size(), 20'000U);
}

}  // namespace
}  // namespace mpb
