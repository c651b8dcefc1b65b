// Configuration text: sections, keys, values and contradictions.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>

#include "common/config/options.hpp"

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
  EXPECT_NE(error_of("[ listener x ]\nlisten = :1\n"), "no error") << "blanks around the name";
  const auto good = parse_config(
      "\xef\xbb\xbf# a comment\n\n  workers=3 \r\n\t; another\r\n\n[listener rtmp-1.a_B]\n"
      "\tlisten = [::1]:7\n[listener   ends.]\nlisten=/x",
      kFile);
  ASSERT_TRUE(good) << good.error().text;
  EXPECT_EQ(good->workers, 3);
  ASSERT_EQ(good->listeners.size(), 2U);
  EXPECT_EQ(good->listeners[0].name, "rtmp-1.a_B");
  EXPECT_EQ(good->listeners[0].endpoints.at(0).to_string(), "[::1]:7");
  EXPECT_EQ(good->listeners[1].name, "ends.");
  EXPECT_EQ(good->listeners[1].endpoints.at(0).to_string(), "unix:/x");
}

TEST(Config, TellsFileLineAndWhatIsExpected) {
  const std::pair<std::string, std::string> wrong[] = {
      {"",
       "mp.ini: no listener: give --listen ADDRESS or a [listener NAME] section with listen = "
       "ADDRESS"},
      {"workers = 2\n",
       "mp.ini: no listener: give --listen ADDRESS or a [listener NAME] section "
       "with listen = ADDRESS"},
      {"workers\n", "mp.ini:1: workers: expected = and a value behind the key"},
      {"workers: 3\n", "mp.ini:1: workers: expected = and a value behind the key"},
      {"\n= 3\n",
       "mp.ini:2: expected key = value, [section], or a comment that begins its line with # or ;"},
      {"two words = 3\n",
       "mp.ini:1: expected key = value, [section], or a comment that begins its line with # or ;"},
      {"[]\n", "mp.ini:1: expected [section], and nothing behind it"},
      {"[\n", "mp.ini:1: expected [section], and nothing behind it"},
      {"[listener a\n", "mp.ini:1: expected [section], and nothing behind it"},
      {"[listener a]=3\n", "mp.ini:1: expected [section], and nothing behind it"},
      {"[broker]\n",
       "mp.ini:1: [broker]: unknown section: expected [listener NAME] or [vhost NAME], "
       "NAME of letters, digits, '_', '.' or '-', or [key PATTERN]"},
      {"[listener]\n",
       "mp.ini:1: [listener]: unknown section: expected [listener NAME] or [vhost NAME], "
       "NAME of letters, digits, '_', '.' or '-', or [key PATTERN]"},
      {"[listener a b]\n",
       "mp.ini:1: [listener a b]: unknown section: expected [listener NAME] or [vhost "
       "NAME], NAME of letters, digits, '_', '.' or '-', or [key PATTERN]"},
      {"[listener a]\n", "mp.ini:1: [listener a]: listen is missing: expected listen = ADDRESS"},
      {listener("[listener l]\n"),
       "mp.ini:3: [listener l]: a listener of this name is there "
       "already: mp.ini:1: [listener l]"},
      {listener("policy = fastest"),
       "mp.ini:3: [listener l] policy = fastest: expected one of least, hash, p2c, local"},
      {listener("polcy = hash"), "mp.ini:3: [listener l] polcy: unknown key; did you mean policy?"},
      {listener("nonsense-at-all = 1"),
       "mp.ini:3: [listener l] nonsense-at-all: unknown key; --help lists the known ones"},
      {listener("workers = 3"),
       "mp.ini:3: [listener l] workers: belongs to no section: "
       "expected before the first one"},
      {global("policy = hash"),
       "mp.ini:1: policy: belongs to a listener: expected in a "
       "[listener NAME] section"},
      {global("help = 1"), "mp.ini:1: help: can be given on the command line only"},
      {global("worker = 1"), "mp.ini:1: worker: unknown key; did you mean workers?"},
      {global("a.b = 1"), "mp.ini:1: a.b: unknown key; --help lists the known ones"},
      {global("workers = 1\nworkers = 1"),
       "mp.ini:2: workers = 1: given twice; before: mp.ini:1: workers = 1"},
      {listener("protocol = telepathy"),
       "mp.ini:3: [listener l] protocol = telepathy: expected one of control, ping, rtmp (others "
       "need a worker-program that knows them)"},
      {listener("protocol = rtmp\nhandler = echo"),
       "mp.ini:4: [listener l] handler = echo: expected one of relay, forward for protocol rtmp "
       "(others need a worker-program that knows them)"},
      {listener("key = vhost/app/stream"),
       "mp.ini:3: [listener l] key = vhost/app/stream: expected protocol rtmp, the only one that "
       "reads it"},
      {listener("prefix = proxy\nprotocol = ping"),
       "mp.ini:3: [listener l] prefix = proxy: expected protocol rtmp, the only one that reads it: "
       "another takes what the proxy sends first for the client's own words"},
      {listener("protocol = rtmp\nhandler = forward\n[vhost a.test]\nlatency = realtime"),
       "mp.ini:4: [listener l] handler = forward: there is no upstream: expected upstream = "
       "ADDRESS in a [vhost NAME] section"},
      {global("latency = realtime"),
       "mp.ini:1: latency: belongs to a vhost: expected in a [vhost NAME] section"},
      {listener("handler = relay"),
       "mp.ini:3: [listener l] handler = relay: expected one of echo for protocol control (others "
       "need a worker-program that knows them)"},
      {"[listener l]\nlisten = :1\n[listener m]\nlisten = 127.0.0.1:1\n",
       "mp.ini:4: [listener m] listen = 127.0.0.1:1: the address is taken by 'mp.ini:2: [listener "
       "l] "
       "listen = :1': expected another one"},
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
            "mp.ini:2: a NUL byte: expected text in UTF-8 (this may be UTF-16, or no text at all)");
  EXPECT_NE(error_of(std::string(kMaxConfigSize + 1, '#')).find("mp.ini: larger than 16777216"),
            std::string::npos);
  EXPECT_NE(error_of(std::string(kMaxConfigSize, '#')).find("no listener"), std::string::npos);
}

TEST(Config, AValueIsTakenWholeOrRefused) {
  const std::pair<std::string, std::string> taken[] = {
      {"a#b", "a#b"},
      {"a;b", "a;b"},
      {"a\"b", "a\"b"},
      {"\"a b\"", "a b"},
      {"\" a \"  ", " a "},
      {"\"#a\"", "#a"},
      {"\"a # b ; c\"", "a # b ; c"},
      {R"("a\"b\\")", R"(a"b\)"},
      {"\"'a'\"", "'a'"},
      {"a\tb", "a\tb"},
      {"\xc3\xa4", "\xc3\xa4"},
      {"= =", "= ="},
      {std::string(107, 'x'), std::string(107, 'x')},
  };
  for (const auto& [written, meant] : taken) {
    const auto settings = parse_config(listener("route = " + written + "=0\r\n"), kFile);
    // Quotes stand around a whole value, which here ends with "=0".
    const auto quoted = parse_config("control-socket = " + written + "\n" + listener(""), kFile);
    ASSERT_TRUE(quoted) << written << ": " << quoted.error().text;
    EXPECT_EQ(quoted->control_socket, meant) << written;
    if (written.front() != '"') {
      ASSERT_TRUE(settings) << written << ": " << settings.error().text;
      EXPECT_EQ(settings->listeners.at(0).pins.at(0).key, meant);
    }
  }
  for (const char* written :
       {"#a", ";a", "a #b", "a\t;b", "a # b", "'a'", "'a", "a'", "a\"", "\"a", "\"a\" b",
        "\"a\" # b", "\"a\"b\"", "\"a\\n\"", "\"a\\\"", "\"", "a\\", "\"\"", ""}) {
    const std::string error = error_of(global(std::string("control-socket = ") + written));
    EXPECT_TRUE(error.starts_with("mp.ini:1: control-socket = ")) << written << ": " << error;
    EXPECT_NE(error.find(": expected "), std::string::npos) << written << ": " << error;
  }
}

TEST(Config, RefusesWhatIsNoText) {
  const std::pair<std::string, std::string> wrong[] = {
      {"workers = \xfc\n", "mp.ini:1: this line is not UTF-8"},
      {"workers = 2\r3\n", "mp.ini:1: this line has a control character"},
      {"\x1b[listener a]\n", "mp.ini:1: this line has a control character"},
      {std::string("\xff\xfew\0", 4), "mp.ini: it is UTF-16: expected text in UTF-8"},
      {std::string("\xfe\xff\0w", 4), "mp.ini: it is UTF-16: expected text in UTF-8"},
      {std::string("\xff\xfe\0\0", 4), "mp.ini: it is UTF-32: expected text in UTF-8"},
      {std::string("\0\0\xfe\xff", 4), "mp.ini: it is UTF-32: expected text in UTF-8"},
  };
  for (const auto& [text, told] : wrong) EXPECT_EQ(error_of(text), told);
  EXPECT_EQ(error_of(global("# Latin-1: \xfc")), "no error") << "in a comment it does no harm";
}

TEST(Config, TellsAllThatIsWrongInTheOrderOfItsLines) {
  EXPECT_EQ(error_of("workers = many\n\nmax-workers\n[listener l]\nlisten = nowhere\npolcy = hash\n"
                     "[vhost a b]\njitter = off\n[vhost b]\njitter = none\n"),
            "mp.ini:1: workers = many: expected a whole number from 0 to 4000\n"
            "mp.ini:3: max-workers: expected = and a value behind the key\n"
            "mp.ini:5: [listener l] listen = nowhere: expected an address such as 127.0.0.1:1990, "
            "[::1]:1990, localhost:1990, :1990, unix:/path (at most 107 bytes) or unix:@name\n"
            "mp.ini:6: [listener l] polcy: unknown key; did you mean policy?\n"
            "mp.ini:7: [vhost a b]: expected a host name of at most 255 letters, digits, '-', '_' "
            "and '.', *.NAME for all names below it, or __defaultVhost__, which also has the "
            "clients that name an address\n"
            "mp.ini:10: [vhost b] jitter = none: expected one of full, zero, off");
  // Contradictions as well, but not with what could not be read.
  EXPECT_EQ(error_of("acceptors = 0\nlog-level = loud\n" + listener("protocol = smoke")),
            "mp.ini:2: log-level = loud: expected one of debug, info, warning, error, off\n"
            "mp.ini:1: acceptors = 0: expected at least 1: somebody must accept the clients\n"
            "mp.ini:5: [listener l] protocol = smoke: expected one of control, ping, rtmp (others "
            "need a worker-program that knows them)");
  EXPECT_EQ(error_of("max-workers = 1\nworkers = x\n" + listener("")),
            "mp.ini:2: workers = x: expected a whole number from 0 to 4000");
  std::string many;
  for (int i = 0; i < 100; ++i) many += "x = 1\n";
  const std::string told = error_of(many);
  EXPECT_EQ(std::count(told.begin(), told.end(), '\n'), 20);
  EXPECT_TRUE(told.ends_with("\nand 80 more")) << told;
}

TEST(Config, LongTextIsCutInMessages) {
  EXPECT_LT(error_of(std::string(100'000, 'k') + " = " + std::string(100'000, 'v')).size(), 500U);
}

TEST(Config, GoodValues) {
  for (const char* line :
       {"workers = 4000", "workers = 0", "max-workers = 4000", "acceptors = 2", "grow-at = 1",
        "grow-at = 100", "linger = 0", "idle-timeout = 49d", "max-clients = 1000000000",
        "start-timeout = 1ms", "answer-timeout = 1m", "user = 1000", "group = staff",
        "control-socket = mp.sock", "log-level = off", "header-timeout = 0", "max-keys = 1"}) {
    EXPECT_EQ(error_of(global(line)), "no error") << line;
  }
  for (const char* line :
       {"handler = echo", "protocol = ping", "sticky = yes", "overflow = refuse", "policy = local",
        "backlog = 1", "backlog = 65535", "mode = 0", "mode = 777", "route = * = 1 , 0",
        "route = a b=1", "route = a=b=0", "protocol = rtmp",
        "protocol = rtmp\nhandler = relay\nkey = vhost\nprefix = none",
        "protocol = rtmp\nkey = vhost/app/stream\nprefix = proxy\nprefix-from = 10.0.0.0/8, ::1",
        "protocol = rtmp\nprefix = srs-real-ip\nprefix-from = unix:,192.0.2.1", "key = vhost",
        "prefix = none"}) {
    EXPECT_EQ(error_of(listener(line)), "no error") << line;
  }
}

TEST(Config, BadValues) {
  for (const char* line : {"workers = 4001",
                           "workers = -1",
                           "workers = two",
                           "workers =",
                           "workers = 2 3",
                           "max-workers = 4001",
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
                           "answer-timeout = 0",
                           "answer-timeout = 61s",
                           "route-timeout = 0",
                           "max-clients = -1",
                           "max-clients = 1000000001",
                           "max-keys = 0",
                           "user =",
                           "group =",
                           "control-socket =",
                           "worker-program =",
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
  for (const char* line :
       {"protocol =",      "protocol = a/b", "handler =",    "handler = a b",     "sticky = true",
        "overflow = drop", "policy =",       "backlog = 0",  "backlog = 65536",   "mode = 0888",
        "mode = 1777",     "mode = rw",      "key = app",    "prefix = proxy-v1", "route = k",
        "route = =1",      "route = k=",     "route = k=1,", "route = k=1,1",     "route = k=4000",
        "route = k=-1",    "route = k=x"}) {
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
  EXPECT_EQ(error_of("worker-program = w\n" + listener("protocol = other")), "no error");
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
