#include <gtest/gtest.h>

#include <iterator>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json.hpp>

#include "common/base/plain_text.hpp"
#include "common/base/utf8.hpp"
#include "common/config/option_values.hpp"
#include "mpctl/answer.hpp"
#include "mpctl/answers_text.hpp"
#include "mpctl/event_text.hpp"
#include "mpctl/hooks_text.hpp"
#include "mpctl/options_list.hpp"
#include "mpctl/safe_text.hpp"
#include "mpctl/status_text.hpp"
#include "mpctl/streams_text.hpp"
#include "mpctl/table.hpp"
#include "mpctl/upstreams_text.hpp"
#include "mpctl/watch_text.hpp"

namespace mpb::ctl {
namespace {

namespace json = boost::json;

using Words = std::vector<std::string>;

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

json::object object(std::string_view text) {
  return json::parse({text.data(), text.size()}).as_object();
}

json::object request_of(const Words& words) {
  const auto options = read_options(words, nullptr);
  EXPECT_TRUE(options) << options.error().text;
  return options ? options->request : json::object{};
}

std::string refusal_of(const Words& words) {
  const auto options = read_options(words, nullptr);
  EXPECT_FALSE(options) << words.front();
  if (options) return "";
  EXPECT_EQ(options.error().kind, ErrorKind::kUsage);
  return options.error().text;
}

// --- command line --------------------------------------------------------------------------------

TEST(MpctlOptions, BuildsTheRequestOfEachCommand) {
  EXPECT_EQ(request_of({"status"}), object(R"({"command":"status"})"));
  EXPECT_EQ(request_of({"watch"}), object(R"({"command":"status"})"));
  EXPECT_EQ(request_of({"metrics"}), object(R"({"command":"status"})"));
  EXPECT_EQ(request_of({"health"}), object(R"({"command":"status"})"));
  EXPECT_EQ(request_of({"events"}), object(R"({"command":"events"})"));
  EXPECT_EQ(request_of({"streams"}), object(R"({"command":"streams"})"));
  EXPECT_EQ(request_of({"upstreams"}), object(R"({"command":"upstreams"})"));
  EXPECT_EQ(request_of({"hooks"}), object(R"({"command":"hooks"})"));
  EXPECT_EQ(request_of({"kick", "a.test/live/a/b"}),
            object(R"({"command":"kick","stream":"a.test/live/a/b"})"));
  EXPECT_EQ(request_of({"reload"}), object(R"({"command":"reload"})"));
  EXPECT_EQ(request_of({"stop"}), object(R"({"command":"stop"})"));
  EXPECT_EQ(request_of({"drain", "3"}), object(R"({"command":"drain","slot":3})"));
  EXPECT_EQ(request_of({"workers", "1"}), object(R"({"command":"workers","count":1})"));
  EXPECT_EQ(request_of({"route", "a=1"}), object(R"({"command":"route","key":"a","slots":[1]})"));
  EXPECT_EQ(request_of({"route", "a=b=1,0,12", "--listener", "rtmp"}),
            object(R"({"command":"route","key":"a=b","slots":[1,0,12],"listener":"rtmp"})"));
  EXPECT_EQ(request_of({"route", "--remove", "a=1"}),
            object(R"({"command":"route","key":"a=1","remove":true})"));
  EXPECT_EQ(request_of({"vhost", "a.test", "latency=merge:350ms", "play-key="}),
            object(R"({"command":"vhost","name":"a.test",
                       "set":["latency=merge:350ms","play-key="]})"));
  EXPECT_EQ(request_of({"vhost", "a.test", "jitter=off", "--unset", "play-key", "--unset=latency"}),
            object(R"({"command":"vhost","name":"a.test","set":["jitter=off"],
                       "unset":["play-key","latency"]})"));
  EXPECT_EQ(request_of({"vhost", "a.test", "--unset", "play-key"}),
            object(R"({"command":"vhost","name":"a.test","unset":["play-key"]})"));
  EXPECT_EQ(request_of({"vhost", "--remove", "a.test"}),
            object(R"({"command":"vhost","name":"a.test","remove":true})"));
}

TEST(MpctlOptions, BuildsLetters) {
  EXPECT_EQ(request_of({"send", "3", "t", "x y"}),
            object(R"({"command":"send","slot":3,"topic":"t","text":"x y"})"));
  EXPECT_EQ(request_of({"send", "3.2", "t", ""}),
            object(R"({"command":"send","slot":3,"generation":2,"topic":"t","text":""})"));
  EXPECT_EQ(request_of({"send", "all", "t", "x"}),
            object(R"({"command":"send","all":true,"topic":"t","text":"x"})"));
  EXPECT_EQ(request_of({"send", "group:g", "t", "x"}),
            object(R"({"command":"send","group":"g","topic":"t","text":"x"})"));
  EXPECT_EQ(request_of({"send", "kitchen", "t", "x", "--listener", "l"}),
            object(R"({"command":"send","key":"kitchen","listener":"l","topic":"t","text":"x"})"));
  EXPECT_EQ(request_of({"send", "key:3", "t", "x"}),
            object(R"({"command":"send","key":"3","topic":"t","text":"x"})"));
  EXPECT_EQ(request_of({"ask", "all", "t", "x", "--timeout", "2s"}),
            object(R"({"command":"ask","all":true,"topic":"t","text":"x","timeout_ms":2000})"));
  for (const std::vector<std::string>& wrong :
       std::vector<std::vector<std::string>>{{"send", "all", "t"},
                                             {"send", "all", "", "x"},
                                             {"send", "", "t", "x"},
                                             {"ask", "all", "t", "x", "--timeout", "0"},
                                             {"ask", "all", "t", "x", "--timeout", "61s"},
                                             {"send", "all", "t", "x", "--timeout", "1s"},
                                             {"ask", "all", "t", "x", "--remove", "k"}}) {
    EXPECT_FALSE(read_options(wrong, nullptr)) << wrong.size();
  }
}

TEST(MpctlAnswers, AreALineForEachAndTheMissingAreNamed) {
  const auto answer = object(R"({"ok":true,"answers":[{"slot":0,"generation":2,"text":"a\u001bb"}],
      "missing":[{"slot":1,"generation":1,"why":"it is gone"}],"truncated":true})");
  EXPECT_EQ(answers_text(answer), "0.2: a\\x1bb\n");
  EXPECT_EQ(missing_answers_text(answer),
            "no answer from worker 1.1: it is gone\nthe answers are longer than what is shown\n");
  EXPECT_EQ(missing_answers_text(object(R"({"ok":true})")), "");
  const auto sent =
      object(R"({"ok":true,"sent":1,"missing":[{"slot":1,"generation":1,"why":"it is gone"}]})");
  EXPECT_EQ(missing_answers_text(sent), "not sent to worker 1.1: it is gone\n");
}

TEST(MpctlOptions, RefusesWhatNoBrokerCouldTake) {
  const std::vector<Words> wrong{{"frobnicate"},
                                 {"status", "now"},
                                 {"streams", "a.test"},
                                 {"streams", "--count", "2"},
                                 {"kick"},
                                 {"kick", "a.test/live"},
                                 {"kick", "a.test/live/s", "a.test/live/t"},
                                 {"kick", "a.test/live/\xff"},
                                 {"drain"},
                                 {"drain", "x"},
                                 {"drain", "-1"},
                                 {"drain", std::to_string(kMaxWorkers)},
                                 {"drain", "1", "2"},
                                 {"workers"},
                                 {"workers", "0"},
                                 {"workers", std::to_string(kMaxWorkers + 1)},
                                 {"route"},
                                 {"route", "a"},
                                 {"route", "=1"},
                                 {"route", "a="},
                                 {"route", "a=1,"},
                                 {"route", "a=1,,2"},
                                 {"route", "a=1", "b=2"},
                                 {"route", "\xff=1"},
                                 {"route", "a=1", "--listener", ""},
                                 {"route", "--remove", "a", "b=1"},
                                 {"route", "--remove", ""},
                                 {"vhost"},
                                 {"vhost", "a.test"},
                                 {"vhost", "a.test", "latency"},
                                 {"vhost", "", "latency=realtime"},
                                 {"vhost", "a.test", "play-key=\xff"},
                                 {"vhost", "--remove", "a.test", "latency=realtime"},
                                 {"vhost", "--remove", ""},
                                 {"vhost", "--remove", "a.test", "--unset", "latency"},
                                 {"vhost", "a.test", "--unset", ""},
                                 {"vhost", "--unset", "latency"},
                                 {"route", "a=1", "--unset", "latency"},
                                 {"status", "--unset", "latency"},
                                 {"vhost", "a.test", "jitter=off", "--listener", "l"},
                                 {"status", "--remove", "a"},
                                 {"status", "--interval", "1s"},
                                 {"events", "--count", "3"},
                                 {"watch", "--json"},
                                 {"metrics", "--json"},
                                 {"health", "--json"},
                                 {"health", "now"},
                                 {"watch", "--interval", "1"},
                                 {"watch", "--interval", "99ms"},
                                 {"watch", "--count", "0"},
                                 {"status", "--js"},
                                 {"status", "--control-socket", ""},
                                 {"status", "--control-socket", std::string(200, 'x')}};
  for (const Words& words : wrong) EXPECT_FALSE(refusal_of(words).empty());
  EXPECT_FALSE(read_options({}, nullptr));
  EXPECT_EQ(refusal_of({"vhost", "a.test", "--play-key=s3cret"}),
            "--play-key: unknown option; --help lists the options");
  const auto long_path = read_options({"status"}, std::string(200, 'x').c_str());
  ASSERT_FALSE(long_path);
  EXPECT_TRUE(contains(long_path.error().text, "$MPBROKER_CONTROL_SOCKET: "));
  EXPECT_TRUE(contains(refusal_of({"frob\x1b[2J"}), "frob\\x1b[2J"));
  for (const char* words : {"play-key s3cret", "play-key=s3cret\xff"}) {
    EXPECT_FALSE(contains(refusal_of({"vhost", "a.test", words}), "s3cret"));
  }
}

TEST(MpctlOptions, FindsTheSocket) {
  EXPECT_EQ(read_options({"status"}, nullptr)->socket, kDefaultSocket);
  EXPECT_EQ(read_options({"status"}, "")->socket, kDefaultSocket);
  EXPECT_EQ(read_options({"status"}, "/env.sock")->socket, "/env.sock");
  EXPECT_EQ(read_options({"--control-socket", "./mp.sock", "status"}, "/env.sock")->socket,
            "./mp.sock");
  EXPECT_EQ(read_options({"status", "--control-socket=/a"}, nullptr)->socket, "/a");
}

TEST(MpctlOptions, ReadsModes) {
  const auto watch = read_options({"watch", "--interval", "500ms", "--count", "3"}, nullptr);
  ASSERT_TRUE(watch);
  EXPECT_EQ(watch->mode, Mode::kWatch);
  EXPECT_EQ(watch->interval, Duration{500});
  EXPECT_EQ(watch->count, 3U);
  EXPECT_TRUE(read_options({"status", "--json"}, nullptr)->json);
  EXPECT_EQ(read_options({"metrics"}, nullptr)->mode, Mode::kMetrics);
  EXPECT_EQ(read_options({"health"}, nullptr)->mode, Mode::kHealth);
  EXPECT_EQ(read_options({"streams"}, nullptr)->mode, Mode::kStreams);
  EXPECT_TRUE(read_options({"streams", "--json"}, nullptr)->json);
  EXPECT_EQ(read_options({"upstreams"}, nullptr)->mode, Mode::kUpstreams);
  EXPECT_EQ(read_options({"hooks"}, nullptr)->mode, Mode::kHooks);
  EXPECT_TRUE(contains(read_options({"--help"}, nullptr)->print, "--interval TIME"));
  EXPECT_TRUE(read_options({"status", "--version"}, nullptr)->print.starts_with("mpctl "));
  EXPECT_TRUE(contains(program().help(), "/run/mpbroker/control.sock"));
}

// --- text from elsewhere -------------------------------------------------------------------------

TEST(MpctlSafeText, LeavesTextAlone) {
  EXPECT_EQ(safe_text("live/a.test 42"), "live/a.test 42");
  EXPECT_EQ(safe_text("Grüße 直播"), "Grüße 直播");
  EXPECT_EQ(safe_text(""), "");
}

TEST(MpctlSafeText, EscapesWhatATerminalWouldObey) {
  EXPECT_EQ(safe_text("a\x1b[31m\r\n\t"), "a\\x1b[31m\\x0d\\x0a\\x09");
  EXPECT_EQ(safe_text(std::string_view("\0\x7f", 2)), "\\x00\\x7f");
  EXPECT_EQ(safe_text("\xc2\x9b"
                      "31m"),
            "\\u{009b}31m")
      << "CSI above U+007F";
  EXPECT_EQ(safe_text("\u202eabc"), "\\u{202e}abc") << "right-to-left override";
  EXPECT_EQ(safe_text("a\\x1b"), "a\\\\x1b") << "what was there is told from what was escaped";
}

TEST(MpctlSafeText, EscapesWhatIsNotUtf8) {
  EXPECT_EQ(safe_text("\xff\xfe"), "\\xff\\xfe");
  EXPECT_EQ(safe_text("a\xc3"), "a\\xc3");
  EXPECT_EQ(safe_text("\xc0\x9b"), "\\xc0\\x9b") << "overlong";
  EXPECT_EQ(safe_text("\xe0\x80\x9b"), "\\xe0\\x80\\x9b") << "overlong";
  EXPECT_EQ(safe_text("\xed\xa0\x80"), "\\xed\\xa0\\x80") << "surrogate";
  EXPECT_EQ(safe_text("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80") << "above U+10FFFF";
  EXPECT_EQ(safe_text("\xf0\x9f\x98\x80"), "\xf0\x9f\x98\x80");
}

TEST(MpctlSafeText, NeverLetsAControlByteThrough) {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const std::string text{static_cast<char>(first), static_cast<char>(second)};
      const std::string safe = safe_text(text);
      ASSERT_TRUE(is_utf8(safe));
      for (const char c : safe) ASSERT_FALSE((c >= 0 && c < ' ') || c == 0x7f) << first;
    }
  }
}

TEST(MpctlSafeText, KeepsJsonEquivalent) {
  const std::string raw = "{\"a\u009b\u202e\":\t\"x\\\\\x7f\"}";
  const std::string safe = plain_json(raw);
  EXPECT_EQ(safe, "{\"a\\u009b\\u202e\": \"x\\\\\\u007f\"}");
  EXPECT_EQ(json::parse(safe), json::parse(raw));
}

// --- answers and events --------------------------------------------------------------------------

TEST(MpctlAnswer, TellsTheBrokersOwnWords) {
  EXPECT_TRUE(check_answer(object(R"({"ok":true})")));
  EXPECT_EQ(check_answer(object(R"({"ok":false,"error":"no slot 9\u001b"})")).error().text,
            "no slot 9\\x1b");
  EXPECT_EQ(check_answer(object(R"({"ok":false,"error":"one\ntwo\u001b"})")).error().text,
            "one\ntwo\\x1b")
      << "a line each";
  const auto not_utf8 = parse_object("{\"ok\":false,\"error\":\"a \xfc\"}");
  ASSERT_TRUE(not_utf8) << not_utf8.error().text;
  EXPECT_EQ(check_answer(*not_utf8).error().text, "a \xef\xbf\xbd");
  EXPECT_FALSE(check_answer(object("{}")));
  EXPECT_FALSE(check_answer(object(R"({"ok":1,"error":2})")));
  EXPECT_FALSE(parse_object("[1]"));
  EXPECT_FALSE(parse_object("{\"ok\":"));
}

TEST(MpctlAnswer, BearsWhatIsMissingOrOtherwise) {
  const json::object odd = object(R"({"n":-1,"d":2.5,"big":18446744073709551615,"s":[],"t":""})");
  EXPECT_EQ(number(odd, "n"), 0U);
  EXPECT_EQ(number(odd, "d"), 2U);
  EXPECT_EQ(number(odd, "big"), UINT64_MAX);
  EXPECT_EQ(number(odd, "s"), 0U);
  EXPECT_EQ(number(odd, "none"), 0U);
  EXPECT_EQ(text(odd, "t"), "-");
  EXPECT_EQ(text(odd, "n"), "-");
  EXPECT_FALSE(flag(odd, "n"));
  EXPECT_TRUE(member_object(odd, "s").empty());
  EXPECT_TRUE(member_array(odd, "n").empty());
}

TEST(MpctlEvent, IsALogfmtLine) {
  EXPECT_EQ(event_text(object(R"({"time":"2026-01-31T12:00:00.000Z","event":"exit","slot":1,
                                  "base":true,"reason":"killed by SIGKILL"})")),
            "time=2026-01-31T12:00:00.000Z event=exit slot=1 base=true "
            "reason=\"killed by SIGKILL\"");
  const std::string hostile = event_text(object("{\"key\":\"a\\u001b[2J\\u009b\\n\"}"));
  EXPECT_EQ(hostile, "key=\"a\\x1b[2J\\u{009b}\\x0a\"");
}

// --- tables --------------------------------------------------------------------------------------

TEST(MpctlTable, AlignsColumns) {
  const Columns columns{
      text_column("NAME", "name"),
      count_column("N", "n"),
      {"WHY", [](const json::object& row) { return std::string(row.at("why").as_string()); },
       Align::kLeft}};
  EXPECT_EQ(table_text(columns, json::parse(R"([{"name":"ä","n":100,"why":""},
                                                {"name":"longer","n":7,"why":"x"}])")
                                    .as_array()),
            "NAME      N  WHY\n"
            "ä       100\n"
            "longer    7  x\n");
}

TEST(MpctlStatus, WritesTimesAndSizes) {
  EXPECT_EQ(short_time(0), "0ms");
  EXPECT_EQ(short_time(999), "999ms");
  EXPECT_EQ(short_time(59'999), "59s");
  EXPECT_EQ(short_time(200'000), "3m20s");
  EXPECT_EQ(short_time(3'600'000), "1h");
  EXPECT_EQ(short_time(3'659'000), "1h");
  EXPECT_EQ(short_time(356'400'000), "4d3h");
  EXPECT_EQ(short_size(0), "0 B");
  EXPECT_EQ(short_size(1536), "1.5 KiB");
  EXPECT_EQ(short_size(12ULL << 20), "12.0 MiB");
  EXPECT_EQ(short_size(1ULL << 52), "4096.0 TiB");
}

/// The cells of the line that begins with `first`.
Words cells_of(const std::string& text, const std::string& first) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream cells(line);
    const Words words{std::istream_iterator<std::string>(cells), {}};
    if (!words.empty() && words.front() == first) return words;
  }
  return {};
}

json::object sample_status() {
  return object(R"({
    "ok":true,"version":"0.1.0","pid":10,"state":"running","uptime_ms":61000,
    "listeners":[
      {"name":"default","address":"127.0.0.1:1990","protocol":"control","handler":"echo",
       "policy":"least","sticky":true,"overflow":"spill","clients":7,"accepted":100,
       "rejected":{"busy":2,"input":0,"header":1},"closed":{"idle":3}},
      {"name":"esc\u001b[2J","rejected":{"header":4,"busy":1}}],
    "workers":[
      {"slot":0,"pid":11,"role":"cell","key":"7","state":"online","base":true,"accepts":true,"uptime_ms":60000,
       "clients":5,"accepted":80,"handoffs":{"out":30,"in":20,"kept":4,"nacked":0,"retried":0},
       "rejected":{"busy":1},"queue_high_water":{"broker":9,"worker":8},"fds":12,
       "rss_bytes":1048576},
      {"slot":1,"pid":12,"state":"online","base":false,"clients":2,"accepted":20,
       "last_exit":"killed by SIGKILL","restarts":1},
      {"slot":2,"state":"parked"}],
    "broker":{"handoffs":50,"delivered":40,"kept":10,"in_flight":1,"waiting":6,"cpu_ms":1500,
              "rss_bytes":2097152}})");
}

TEST(MpctlStatus, ShowsEverythingOnce) {
  const std::string text = status_text(sample_status());
  for (const std::string_view part :
       {"mpbroker 0.1.0, pid 10, running for 1m1s: 7 clients, 2 of 3 workers online",
        "127.0.0.1:1990", "least", "esc\\x1b[2J", "1+", "parked", "killed by SIGKILL", "9/8",
        "1.0 MiB", "50 handoffs: 40 delivered, 10 kept", "1 in flight, 6 waiting",
        "rejected: 3 busy, 5 header\n", "closed:   3 idle\n", "1.5 s of CPU"}) {
    EXPECT_TRUE(contains(text, part)) << part << "\n" << text;
  }
  EXPECT_FALSE(contains(text, "\x1b"));
}

TEST(MpctlStatus, HasItsColumnsInThisOrder) {
  const std::string text = status_text(sample_status());
  EXPECT_EQ(cells_of(text, "LISTENER"),
            (Words{"LISTENER", "ADDRESS", "PROTOCOL", "HANDLER", "POLICY", "STICKY", "OVERFLOW",
                   "CLIENTS", "ACCEPTED", "REJECTED", "CLOSED"}));
  EXPECT_EQ(cells_of(text, "default"), (Words{"default", "127.0.0.1:1990", "control", "echo",
                                              "least", "yes", "spill", "7", "100", "3", "3"}));
  EXPECT_EQ(
      cells_of(text, "WORKER"),
      (Words{"WORKER",   "PID",      "ROLE",   "KEY",      "USER", "STATE", "ACCEPTS", "UPTIME",
             "RESTARTS", "CLIENTS",  "KEYS",   "ACCEPTED", "OUT",  "IN",    "KEPT",    "NACKED",
             "RETRIED",  "REJECTED", "CLOSED", "QUEUE",    "FDS",  "RSS",   "LAST",    "EXIT"}));
  EXPECT_EQ(cells_of(text, "0"),
            (Words{"0",  "11", "cell", "7", "-", "online", "yes", "1m",  "0",  "5",   "0",   "80",
                   "30", "20", "4",    "0", "0", "1",      "0",   "9/8", "12", "1.0", "MiB", "-"}));
}

TEST(MpctlStatus, BearsAnAnswerWithoutAnything) {
  for (const std::string_view odd :
       {"{}", R"({"workers":{},"listeners":3,"broker":[]})",
        R"({"workers":[1,{}],"listeners":[{}]})",
        R"({"workers":[{"handoffs":1,"rejected":[],"slot":"x","pid":-3}],"uptime_ms":"long"})"}) {
    EXPECT_TRUE(contains(status_text(object(odd)), "mpbroker -")) << odd;
    EXPECT_FALSE(watch_text(object(odd), nullptr, 0).empty());
  }
}

// --- streams -------------------------------------------------------------------------------------

TEST(MpctlStreams, AreATable) {
  const std::string text = streams_text(object(R"({"ok":true,"streams":[
    {"vhost":"a.test","app":"live","stream":"s","publisher":"192.0.2.1:5","video":"avc1",
     "audio":"mp4a","width":1280,"height":720,"fps":29.97,"kbps_in":2500,"kbps_out":5000,
     "players":2,"drops":3,"cut":1,"age_s":3661,"slot":1},
    {"vhost":"b.test","app":"live","stream":"t","publisher":"","video":"","audio":"Opus","width":0,
     "height":0,"fps":25,"kbps_in":100.7,"kbps_out":0,"players":1,"drops":0,"cut":0,"age_s":5,
     "slot":0},
    {"vhost":"c.test","video":"hvc1"}]})"));
  EXPECT_EQ(cells_of(text, "a.test"),
            (Words{"a.test", "live", "s", "192.0.2.1:5", "avc1+mp4a", "1280x720", "29.97", "2500",
                   "2", "5000", "3", "1", "1h1m", "1"}));
  EXPECT_EQ(cells_of(text, "b.test"), (Words{"b.test", "live", "t", "-", "Opus", "-", "25", "100",
                                             "1", "0", "0", "0", "5s", "0"}));
  EXPECT_EQ(cells_of(text, "c.test"), (Words{"c.test", "-", "-", "-", "hvc1", "-", "-", "0", "0",
                                             "0", "0", "0", "0ms", "0"}));
  EXPECT_TRUE(contains(text, "\n3 streams, 3 players; 2600 kbit/s in, 5000 kbit/s out\n")) << text;
}

TEST(MpctlStreams, BearsOddAnswersAndEscapesNames) {
  for (const std::string_view odd :
       {"{}", R"({"streams":{}})", R"({"streams":[1,[],"x"]})", R"({"missing":3})"}) {
    EXPECT_TRUE(contains(streams_text(object(odd)), "0 streams, 0 players")) << odd;
    EXPECT_EQ(missing_text(object(odd)), "") << odd;
  }
  const std::string text = streams_text(object(
      R"({"streams":[{"vhost":"a\u001b[2J","app":"\u009b","stream":"\n","publisher":"\u202e",
          "video":"\u0007","audio":"\u0000","fps":1e300,"age_s":1e17,"width":-5}]})"));
  for (const char c : text) EXPECT_TRUE(c == '\n' || c < 0 || c >= ' ') << text;
  EXPECT_TRUE(contains(text, "a\\x1b[2J"));
  EXPECT_FALSE(contains(text, "\u009b"));
  EXPECT_FALSE(contains(text, "\u202e"));
}

TEST(MpctlStreams, TellsWhatIsMissing) {
  EXPECT_EQ(missing_text(object(R"({"ok":true,"missing":[1,12,"\u001b"],"truncated":true})")),
            "no answer from worker 1, 12\nthere are more than these\n");
}

TEST(MpctlUpstreams, AreShownAsEachWorkerSeesThem) {
  const std::string text = upstreams_text(object(R"({"ok":true,"upstreams":[
    {"vhost":"a.test","address":"192.0.2.1:1935","clients":3,"served":7,"failed":2,
     "failures_in_a_row":0,"backup":false,"out":false,"slot":0,"why":"refused"},
    {"vhost":"b.test","address":"\u001b[2J","failures_in_a_row":4,"backup":true,"out":true,
     "slot":1},
    {"vhost":"c.test","backup":true}],"clients":3,"unserved":5})"));
  EXPECT_EQ(cells_of(text, "a.test"),
            (Words{"a.test", "192.0.2.1:1935", "up", "3", "9", "2", "0", "0", "refused"}));
  EXPECT_EQ(cells_of(text, "b.test"),
            (Words{"b.test", "\\x1b[2J", "out", "0", "0", "0", "4", "1", "-"}));
  EXPECT_EQ(cells_of(text, "c.test"),
            (Words{"c.test", "-", "backup", "0", "0", "0", "0", "0", "-"}));
  EXPECT_TRUE(contains(text, "\n3 clients; 5 could not be served\n")) << text;
  EXPECT_TRUE(contains(upstreams_text(object("{}")), "\n0 clients; 0 could not be served\n"));
}

TEST(MpctlHooks, HaveALineForEachServerOfAWorker) {
  const std::string text = hooks_text(object(R"({"ok":true,"hooks":[{"asked":9,"told":4,
    "refused":3,"failed":2,"dropped":1,"under_way":5,"waiting":6,"server":"a:80","state":"open",
    "slot":8},{"asked":"x","slot":12}]})"));
  EXPECT_EQ(cells_of(text, "8"), (Words{"8", "a:80", "open", "9", "4", "3", "2", "1", "5", "6"}));
  EXPECT_EQ(cells_of(text, "12"), (Words{"12", "-", "-", "0", "0", "0", "0", "0", "0", "0"}));
}

// --- the live view -------------------------------------------------------------------------------

TEST(MpctlWatch, CountsRatesSinceTheLastLook) {
  const json::object before = sample_status();
  json::object now = before;
  now["listeners"].as_array()[0].as_object()["accepted"] = 300;
  now["broker"].as_object()["handoffs"] = 150;
  now["broker"].as_object()["cpu_ms"] = 2500;
  json::object& worker = now["workers"].as_array()[0].as_object();
  worker["accepted"] = 180;
  worker["handoffs"].as_object()["in"] = 60;
  const std::string text = watch_text(now, &before, 2);
  EXPECT_TRUE(contains(text,
                       "per second: 100 clients, 50 handoffs; in flight 1, waiting 6; "
                       "broker CPU 50%"))
      << text;
  const Words cells = cells_of(text, "0");
  ASSERT_GE(cells.size(), 9U);
  EXPECT_EQ(cells[4], "50") << "accepted";
  EXPECT_EQ(cells[5], "0") << "out";
  EXPECT_EQ(cells[6], "20") << "in";
}

TEST(MpctlWatch, HasNoRatesForOneThatIsNew) {
  const json::object before = sample_status();
  json::object now = before;
  now["workers"].as_array()[0].as_object()["pid"] = 99;
  const std::string text = watch_text(now, &before, 1);
  EXPECT_EQ(cells_of(text, "0")[4], "-") << "another process";
  EXPECT_EQ(cells_of(text, "1+")[4], "0");
  EXPECT_TRUE(contains(watch_text(now, nullptr, 0), "per second: - clients, - handoffs"));
  now["pid"] = 77;
  EXPECT_TRUE(contains(watch_text(now, &before, 1), "per second: - clients")) << "another broker";
}

TEST(MpctlWatch, FitsTheTerminal) {
  EXPECT_EQ(redraw_text("abc\ndé\n\nlast\n", 2, 3), "\x1b[Hab\x1b[K\ndé\x1b[K\n\x1b[K\x1b[J");
  EXPECT_EQ(redraw_text("a", 80, 24), "\x1b[Ha\x1b[K\x1b[J");
  EXPECT_EQ(redraw_text("ééé", 2, 1), "\x1b[Héé\x1b[K\x1b[J");
}

}  // namespace
}  // namespace mpb::ctl
