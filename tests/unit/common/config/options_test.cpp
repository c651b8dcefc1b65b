#include "common/config/options.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <utility>
#include <vector>

#include "common/config/kept_file.hpp"
#include "common/config/network.hpp"
#include "common/config/option_table.hpp"

namespace mpb {
namespace {

Result<ParsedOptions> parse(std::initializer_list<const char*> args,
                            std::string_view program = "mpbroker") {
  std::vector<const char*> line{"/usr/sbin/mpbroker"};
  line.insert(line.end(), args);
  return parse_options(line, program);
}

Settings parse_good(std::initializer_list<const char*> args) {
  const auto options = parse(args);
  EXPECT_TRUE(options) << options.error().text;
  return options ? options->settings : Settings{};
}

struct Wrong {
  std::vector<const char*> args;
  std::string_view told;  // a part of the message
};

std::string error_of(std::initializer_list<const char*> args) {
  const auto options = parse(args);
  EXPECT_FALSE(options);
  return options ? "no error" : options.error().text;
}

TEST(CommandLine, OneListenerNeedsNoFile) {
  const Settings s = parse_good({"--listen", "127.0.0.1:1990", "--protocol", "control", "--workers",
                                 "4", "--max-workers", "8", "--control-socket", "./mp.sock"});
  ASSERT_EQ(s.listeners.size(), 1U);
  EXPECT_EQ(s.listeners[0].name, "default");
  EXPECT_EQ(s.listeners[0].listen, "127.0.0.1:1990");
  EXPECT_EQ(s.listeners[0].endpoints.at(0).to_string(), "127.0.0.1:1990");
  EXPECT_EQ(s.workers, 4);
  EXPECT_EQ(s.worker_limit(), 8);
  EXPECT_EQ(s.control_socket, "./mp.sock");
}

TEST(CommandLine, SetsEveryListenerOption) {
  const Settings s =
      parse_good({"--listen=unix:/tmp/x", "--protocol=ping", "--handler=echo", "--policy=p2c",
                  "--sticky=no", "--overflow=refuse", "--route=a=b=1,0", "--route", "* = 0",
                  "--backlog=7", "--mode=0600", "--keepalive=30s:5s:3"});
  ASSERT_EQ(s.listeners.size(), 1U);
  const ListenerSettings& l = s.listeners[0];
  EXPECT_EQ(l.endpoints.at(0).family(), AF_UNIX);
  EXPECT_EQ(l.protocol, "ping");
  EXPECT_EQ(l.handler, "echo");
  EXPECT_EQ(l.policy, Policy::kP2c);
  EXPECT_FALSE(l.sticky);
  EXPECT_EQ(l.overflow, Overflow::kRefuse);
  EXPECT_EQ(l.pins, (std::vector<Pin>{{"a=b", {1, 0}}, {"*", {0}}}));
  EXPECT_EQ(l.backlog, 7);
  EXPECT_EQ(l.mode, 0600U);
  EXPECT_EQ(l.keepalive, (KeepAlive{true, std::chrono::seconds(30), std::chrono::seconds(5), 3}));
}

TEST(CommandLine, KeepAliveIsTimesOfWholeSecondsAndACount) {
  const auto read = [](const std::string& value) {
    return parse_good({"--listen=:1", "--keepalive", value.c_str()}).listeners[0].keepalive;
  };
  EXPECT_FALSE(read("no").on);
  EXPECT_EQ(read("2m").patience(), std::chrono::seconds(180)) << "the rest is the default's";
  EXPECT_EQ(read("10s:1s").patience(), std::chrono::seconds(14));
  for (const char* wrong : {"yes", "60", "0", "500ms", "1s:", ":1s", "1s:1s:", "1s:1s:0",
                            "1s:1s:128", "1s:1s:1:1", "40000s", "1s:1500ms"}) {
    EXPECT_FALSE(parse({"--listen=:1", "--keepalive", wrong})) << wrong;
  }
}

TEST(CommandLine, ListenTakesNames) {
  const Settings s = parse_good({"--listen=localhost:1990"});
  EXPECT_EQ(s.listeners[0].listen, "localhost:1990");
  EXPECT_TRUE(s.listeners[0].endpoints.empty()) << "it is not looked up yet";
  EXPECT_EQ(parse_good({"--listen=unix:@x"}).listeners[0].endpoints.at(0).to_string(), "unix:@x");
  EXPECT_FALSE(parse({"--listen=127.0.0.256:1"}));
}

TEST(CommandLine, SetsEveryGlobalOption) {
  const Settings s = parse_good({"--listen=:0",          "--workers=3",
                                 "--max-workers=5",      "--acceptors=2",
                                 "--max-clients=100",    "--grow-at=80",
                                 "--linger=1m",          "--key-linger=2s",
                                 "--drain-timeout=3s",   "--start-timeout=4s",
                                 "--ping-interval=5s",   "--ping-limit=6s",
                                 "--answer-timeout=7s",  "--worker-program=/bin/sh",
                                 "--user=nobody",        "--group=nogroup",
                                 "--max-keys=9",         "--header-timeout=7s",
                                 "--silence-timeout=6s", "--idle-timeout=8s",
                                 "--send-timeout=9s",    "--route-timeout=10ms",
                                 "--log-level=debug",    "--clients-per-source=11",
                                 "--sandbox=no",         "--spawn=exec"});
  using std::chrono::milliseconds;
  using std::chrono::seconds;
  EXPECT_EQ(s.workers, 3);
  EXPECT_EQ(s.max_workers, 5);
  EXPECT_EQ(s.acceptor_count(), 2);
  EXPECT_EQ(s.max_clients, 100U);
  EXPECT_EQ(s.grow_at, 80U);
  EXPECT_EQ(s.linger, seconds(60));
  EXPECT_EQ(s.key_linger, seconds(2));
  EXPECT_EQ(s.drain_timeout, seconds(3));
  EXPECT_EQ(s.start_timeout, seconds(4));
  EXPECT_EQ(s.ping_interval, seconds(5));
  EXPECT_EQ(s.ping_limit, seconds(6));
  EXPECT_EQ(s.answer_timeout, seconds(7));
  EXPECT_EQ(s.worker_program, "/bin/sh");
  EXPECT_EQ(s.user, "nobody");
  EXPECT_EQ(s.group, "nogroup");
  EXPECT_EQ(s.sandbox, Sandbox::kNo);
  EXPECT_EQ(s.spawn, Spawn::kExec);
  EXPECT_EQ(s.max_keys, 9U);
  EXPECT_EQ(s.header_timeout, seconds(7));
  EXPECT_EQ(s.silence_timeout, seconds(6));
  EXPECT_EQ(s.idle_timeout, seconds(8));
  EXPECT_EQ(s.send_timeout, seconds(9));
  EXPECT_EQ(s.route_timeout, milliseconds(10));
  EXPECT_EQ(s.log_level, LogLevel::kDebug);
  EXPECT_EQ(s.clients_per_source, 11U);
}

TEST(CommandLine, WhatIsNamedOnThisMachineMustBeThere) {
  const Wrong wrong[] = {
      {{"--listen=:1", "--user=nosuchuser"},
       "command line: --user nosuchuser: expected the name or number of an account of this "
       "machine"},
      {{"--listen=:1", "--user=4294967295"}, "--user 4294967295: expected"},
      {{"--listen=:1", "--group=nosuchgroup"}, "command line: --group nosuchgroup: expected"},
      {{"--listen=:1", "--worker-program=/nonexistent/w"},
       "--worker-program /nonexistent/w: expected a program that can be executed: No such file"},
      {{"--listen=:1", "--worker-program=/tmp"}, "can be executed: Permission denied"},
      {{"--listen=:1", "--worker-program=no-such-program"}, "none of this name in PATH"},
  };
  for (const Wrong& line : wrong) {
    std::vector<const char*> args{"mpbroker"};
    args.insert(args.end(), line.args.begin(), line.args.end());
    const auto options = parse_options(args, "mpbroker");
    ASSERT_FALSE(options) << line.told;
    EXPECT_EQ(options.error().kind, ErrorKind::kUsage);
    EXPECT_NE(options.error().text.find(line.told), std::string::npos) << options.error().text;
  }
  EXPECT_EQ(parse_good({"--listen=:1", "--user=0", "--group=0", "--worker-program=sh"}).user, "0");
}

std::vector<std::string> warned(const Result<ParsedOptions>& options) {
  std::vector<std::string> texts;
  if (!options) return {options.error().text};
  for (const Warning& warning : options->warnings) texts.push_back(warning.option);
  return texts;
}

TEST(CommandLine, ASingleProcessTellsWhatHasNoMeaning) {
  const std::vector<std::string> of_many{"command line: --max-workers 4",
                                         "command line: --policy hash", "command line: --route 1=0",
                                         "command line: --route 2=0"};
  std::vector<std::string> with_workers = of_many;
  with_workers.insert(with_workers.begin() + 1, "command line: --workers 3");
  EXPECT_EQ(
      warned(parse({"--listen=:1", "--workers=3", "--max-workers=4", "--policy=hash", "--route=1=0",
                    "--route=2=0", "--idle-timeout=1s", "--worker-program=/nonexistent/w"},
                   "mpworker")),
      with_workers);
  EXPECT_EQ(warned(parse({"--listen=:1", "--workers=0", "--max-workers=4", "--policy=hash",
                          "--route=1=0", "--route=2=0"})),
            of_many)
      << "mpbroker, which becomes one";
  EXPECT_TRUE(warned(parse({"--listen=:1", "--workers=0"}, "mpworker")).empty());
  EXPECT_TRUE(warned(parse({"--listen=:1", "--max-workers=4"})).empty());
}

TEST(CommandLine, WhoMayNotBecomeSomebodyElseIsToldSo) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to be somebody else for a moment";
  constexpr uid_t kNobody = 65534;
  ASSERT_EQ(::seteuid(kNobody), 0);
  const auto as_root = parse({"--listen=:1", "--user=0"});
  ASSERT_EQ(::seteuid(0), 0);
  EXPECT_EQ(warned(as_root), std::vector<std::string>{"command line: --user 0"});
  EXPECT_TRUE(warned(parse({"--listen=:1", "--user=65534"})).empty()) << "root may";
}

TEST(CommandLine, SetsHowRtmpClientsAreRead) {
  const Settings s = parse_good({"--listen=:1", "--protocol=rtmp", "--key=vhost/app/stream",
                                 "--prefix=srs-real-ip", "--prefix-from=10.0.0.0/8,unix:"});
  EXPECT_EQ(s.listeners[0].key, KeyGranularity::kStream);
  EXPECT_EQ(s.listeners[0].prefix, ClientPrefix::kSrsRealIp);
  ASSERT_EQ(s.listeners[0].prefix_from.size(), 2U);
  EXPECT_EQ(s.listeners[0].prefix_from[0].bits, 104);
  EXPECT_EQ(s.listeners[0].prefix_from[1], kUnixPeers);
  const auto single =
      parse({"--listen=:1", "--protocol=rtmp", "--prefix=proxy", "--prefix-from=all"}, "mpworker");
  ASSERT_TRUE(single) << single.error().text;
  EXPECT_EQ(single->settings.listeners[0].prefix, ClientPrefix::kProxy);
  EXPECT_FALSE(parse({"--listen=:1", "--prefix=proxy", "--prefix-from=all"}, "mpworker"));
}

TEST(CommandLine, HelpAndVersionNeedNothingElse) {
  EXPECT_TRUE(parse({"--help"}).value().help);
  EXPECT_TRUE(parse({"-h", "--workers=x"}).value().help);
  EXPECT_TRUE(parse({"--version"}).value().version);
  EXPECT_TRUE(parse({"--check-config", "--listen", ":1"}).value().check_config);
}

TEST(CommandLine, NoArgumentsAtAllIsAnError) {
  EXPECT_FALSE(parse_options({}, "mpbroker"));
  EXPECT_EQ(error_of({}),
            "command line: no listener: give --listen ADDRESS or a [listener NAME] section with "
            "listen = ADDRESS");
}

TEST(CommandLine, BadOnesAreToldInTheirOwnWords) {
  const Wrong wrong[] = {
      {{"--listn", ":1"}, "--listn: unknown option; did you mean --listen?"},
      {{"--max_workers=3"}, "--max_workers: unknown option; did you mean --max-workers?"},
      {{"--lis", ":1"}, "--lis: unknown option; did you mean --listen?"},
      {{"--zzzzzzzz", ":1"}, "--zzzzzzzz: unknown option; --help"},
      {{"-x"}, "-x: unknown option"},
      {{"--latency=realtime"}, "--latency: belongs to a vhost: expected in a [vhost NAME]"},
      {{"--listen", ":1", "--key=vhost/app/stream"},
       "--key vhost/app/stream: expected protocol rt"},
      {{"--listen", ":1", "--protocol=rtmp", "--handler=forward"},
       "--handler forward: there is no upstream: expected upstream = ADDRESS in a [vhost NAME]"},
      {{":1990"}, "':1990': expected an option"},
      {{"--listen"}, "'--listen' is missing"},
      {{"--listen=:1", "--workers="}, "--workers '': expected a whole number from 0"},
      {{"--listen=:1", "--config="}, "--config : expected the path of one file"},
      {{"--listen=:1", "--wrokers="}, "--wrokers: unknown option; did you mean --workers?"},
      {{"--help=yes"}, "'--help' does not take any arguments"},
      {{"--policy", "hash"}, "--policy hash: there is no listener for it"},
      {{"--listen", ":1", "--listen", ":2"}, "--listen :2: given twice; before: command line"},
      {{"--listen", ":1", "--workers=1", "--workers=1"}, "--workers 1: given twice"},
      {{"--listen", ":1", "--route=k=0", "--route=k=1"}, "--route k=1: given twice"},
      {{"--listen", ":1", "--config=a", "--config=b"}, "--config b: expected the path of one file"},
      {{"--listen", "\x1b[31m"}, "--listen \\x1b[31m: expected one line without control"},
  };
  for (const auto& [args, told] : wrong) {
    std::vector<const char*> line{"mpbroker"};
    line.insert(line.end(), args.begin(), args.end());
    const auto options = parse_options(line, "mpbroker");
    ASSERT_FALSE(options) << told;
    EXPECT_EQ(options.error().kind, ErrorKind::kUsage);
    EXPECT_TRUE(options.error().text.starts_with("command line: ")) << options.error().text;
    EXPECT_NE(options.error().text.find(told), std::string::npos) << options.error().text;
  }
}

TEST(CommandLine, ValuesAreReadAsInAFile) {
  for (const OptionSpec& spec : option_table()) {
    const bool of_section = spec.scope == OptionScope::kVhost || spec.scope == OptionScope::kKey;
    if (spec.apply == nullptr || of_section) continue;
    const std::string option = fmt::format("--{}=", spec.name);
    const auto options = parse({"--listen=:1", option.c_str()});
    EXPECT_FALSE(options) << option << ": an empty value unsets nothing";
  }
  EXPECT_EQ(parse_good({"--listen=:1", "--control-socket=\"a b\""}).control_socket, "a b");
  EXPECT_FALSE(parse({"--listen=:1", "--control-socket=a #b"}));
  EXPECT_FALSE(parse({"--listen=:1", "--control-socket=a\nb"}));
}

TEST(CommandLine, WhatMayBeASecretIsNotShown) {
  for (const char* option :
       {"--publish-key=s3cret", "--publish-kye=s3cret", "--play-secret=s3cret"}) {
    EXPECT_EQ(error_of({"--listen=:1", option}).find("s3cret"), std::string::npos) << option;
  }
}

TEST(SingleProcess, IgnoresWhatIsAboutSeveralWorkers) {
  const Settings s = parse_good(
      {"--listen=:1", "--workers=0", "--max-workers=8", "--acceptors=0", "--route=k=900"});
  EXPECT_EQ(s.workers, 0);
  const auto worker = parse({"--listen=:1", "--workers=4", "--max-workers=2"}, "mpworker");
  ASSERT_TRUE(worker) << worker.error().text;
  EXPECT_EQ(worker->settings.workers, 0);
}

class ConfigFile : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "mpb-options-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    path_ = (directory_ / "mp.ini").string();
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  void write(std::string_view text) { std::ofstream(path_) << text; }

  std::filesystem::path directory_;
  std::string path_;
};

TEST_F(ConfigFile, CommandLineWinsKeyByKey) {
  write(
      "workers = 3\nlog-level = error\n[listener default]\nlisten = :1\npolicy = hash\n"
      "route = a=0\nroute = b=0\n[listener other]\nlisten = :2\nroute = a=0\n");
  const Settings s = parse_good(
      {"--config", path_.c_str(), "--workers=2", "--listen=:7", "--route=c=1", "--route=b=1"});
  EXPECT_EQ(s.workers, 2);
  EXPECT_EQ(s.log_level, LogLevel::kError);
  ASSERT_EQ(s.listeners.size(), 2U);
  EXPECT_EQ(s.listeners[0].endpoints.at(0).to_string(), "0.0.0.0:7");
  EXPECT_EQ(s.listeners[0].policy, Policy::kHash);
  EXPECT_EQ(s.listeners[0].pins, (std::vector<Pin>{{"c", {1}}, {"b", {1}}}));
  EXPECT_EQ(s.listeners[1].pins, (std::vector<Pin>{{"a", {0}}}));
}

TEST_F(ConfigFile, CommandLineAddsTheDefaultListener) {
  write("[listener other]\nlisten = :2\n");
  EXPECT_EQ(parse_good({"--config", path_.c_str(), "--listen=:1"}).listeners.size(), 2U);
  EXPECT_NE(error_of({"--config", path_.c_str(), "--policy=hash"}).find("no listener for it"),
            std::string::npos);
}

TEST_F(ConfigFile, ContradictionNamesBothPlaces) {
  write("max-workers = 4\n[listener a]\nlisten = :1\n");
  EXPECT_EQ(error_of({"--config", path_.c_str(), "--workers=6"}),
            path_ +
                ":1: max-workers = 4: contradicts 'command line: --workers 6': expected "
                "max-workers to be at least workers");
}

TEST_F(ConfigFile, WrongValueIsToldEvenIfOverridden) {
  write("workers = many\n[listener a]\nlisten = :1\n");
  EXPECT_EQ(error_of({"--config", path_.c_str(), "--workers=6"}),
            path_ + ":1: workers = many: expected a whole number from 0 to 4000");
}

TEST_F(ConfigFile, UnreadableOnesAreNamed) {
  const auto missing = parse({"--config", path_.c_str()});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ENOENT);
  EXPECT_NE(missing.error().text.find(path_), std::string::npos);
  EXPECT_EQ(missing.error().kind, ErrorKind::kUsage) << "the operator's to mend: exit code 2";
  write(std::string(kMaxConfigSize + 1, '\n'));
  EXPECT_NE(error_of({"--config", path_.c_str()}).find("larger than 16777216 bytes"),
            std::string::npos);
}

TEST_F(ConfigFile, OneThatIsKeptIsReadAgainByWhoMayNotOpenIt) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to be somebody else for a moment";
  write("[listener a]\nlisten = :1\n");
  const KeptFile kept(path_);
  const char* args[] = {"mpworker", "--config", path_.c_str()};
  const auto read_as_nobody = [&](const KeptFile* file) {
    constexpr uid_t kNobody = 65534;
    EXPECT_EQ(::seteuid(kNobody), 0);
    auto options = parse_options(args, "mpworker", file);
    EXPECT_EQ(::seteuid(0), 0);
    return options;
  };
  ASSERT_EQ(::chmod(path_.c_str(), 0600), 0);
  EXPECT_EQ(read_as_nobody(nullptr).error().code, EACCES);
  for (const mode_t folder : {0755, 0700}) {
    ASSERT_EQ(::chmod(directory_.c_str(), folder), 0);
    write("[listener b]\nlisten = :1\n");
    const auto again = read_as_nobody(&kept);
    ASSERT_TRUE(again) << again.error().text;
    EXPECT_EQ(again->settings.listeners.at(0).name, "b") << "as it is now";
  }
  const std::string fresh = (directory_ / "fresh").string();
  std::ofstream(fresh) << "[listener c]\nlisten = :1\n";
  ASSERT_EQ(::chmod(fresh.c_str(), 0600), 0);
  std::filesystem::rename(fresh, path_);
  for (const mode_t folder : {0755, 0700}) {
    ASSERT_EQ(::chmod(directory_.c_str(), folder), 0);
    const auto replaced = read_as_nobody(&kept);
    ASSERT_FALSE(replaced);
    EXPECT_NE(replaced.error().text.find("another file has taken its place"), std::string::npos);
  }
}

TEST_F(ConfigFile, OnlyARegularFileIsRead) {
  const std::string fifo = (directory_ / "fifo").string();
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  const std::string link = (directory_ / "link").string();
  write("[listener a]\nlisten = :1\n");
  std::filesystem::create_symlink(path_, link);
  EXPECT_TRUE(parse({"--config", link.c_str()}));
  const std::pair<std::string, std::string> others[] = {
      {fifo, "it is a pipe: expected a regular file"},
      {directory_.string(), "it is a directory: expected a regular file"},
      {"/dev/null", "it is a device: expected a regular file"},
  };
  for (const auto& [path, told] : others) {
    const auto options = parse({"--config", path.c_str()});
    ASSERT_FALSE(options) << path;
    EXPECT_EQ(options.error().kind, ErrorKind::kUsage);
    EXPECT_NE(options.error().text.find(path + ": " + told), std::string::npos)
        << options.error().text;
  }
}

}  // namespace
}  // namespace mpb
