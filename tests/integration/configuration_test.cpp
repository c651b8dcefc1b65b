// What becomes of configurations that are wrong, or no text at all, while a broker runs and at its
// start.
#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include <boost/json.hpp>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/processes.hpp"

namespace mpb::test {
namespace {

constexpr std::string_view kBase = "workers = 1\n[listener main]\nlisten = 127.0.0.1:PORT\n";

std::size_t count_of(const std::string& text, std::string_view part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

std::string utf16(std::string_view text) {
  std::string wide("\xff\xfe");
  for (const char c : text) wide.append(1, c).append(1, '\0');
  return wide;
}

class Configuration : public testing::Test {
 protected:
  static BrokerSetup setup() {
    BrokerSetup with_file;
    with_file.config = kBase;
    return with_file;
  }
  Outcome mpctl(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"--control-socket", broker.control_path()});
    return run("mpctl", arguments);
  }
  void serves() const {
    Client client(broker.port());
    EXPECT_EQ(client.claim(1), kHello);
  }

  BrokerProcess broker{setup()};
};

TEST_F(Configuration, WhateverBytesItHasMpctlTellsWhyItIsRefused) {
  const std::pair<std::string, std::string> files[] = {
      {utf16(kBase), "it is UTF-16: expected text in UTF-8"},
      {"workers = \xfc\n" + std::string(kBase), ":1: this line is not UTF-8"},
      {"[\xfc]\n", ":1: this line is not UTF-8"},
      {std::string("\x7f\x45\x4c\x46\0\1", 6), "a NUL byte"},
  };
  for (const auto& [text, told] : files) {
    broker.write_config(text);
    const Outcome outcome = mpctl({"reload"});
    EXPECT_EQ(outcome.exit, "exit 1");
    EXPECT_NE(outcome.err.find(told), std::string::npos) << outcome.err;
    const auto answer = broker.request({{"command", "reload"}});
    EXPECT_NE(std::string(answer.at("error").as_string()).find(told), std::string::npos);
  }
  serves();
  broker.write_config("\xef\xbb\xbf" + std::string(kBase));
  EXPECT_EQ(mpctl({"reload"}).exit, "exit 0");
}

TEST_F(Configuration, APathWithOddBytesIsToldInValidJson) {
  const auto answer = broker.request(
      {{"command", "vhost"}, {"name", "a b"}, {"set", boost::json::array{"latency=realtime"}}});
  EXPECT_FALSE(answer.at("ok").as_bool());
  const Outcome outcome = run("mpbroker", {"--config", "/nonexistent/\xfc"});
  EXPECT_EQ(outcome.exit, "exit 2");
  EXPECT_NE(outcome.err.find("/nonexistent/\\xfc"), std::string::npos) << outcome.err;
}

TEST_F(Configuration, APipeInItsPlaceDoesNotStopTheBroker) {
  const std::string path = broker.folder().file("mpbroker.ini");
  ASSERT_TRUE(std::filesystem::remove(path));
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EventStream events(broker.control_path());
  broker.signal(SIGHUP);
  const auto event = events.await("reload");
  ASSERT_FALSE(event.empty());
  EXPECT_NE(std::string(event.at("why").as_string()).find("it is a pipe"), std::string::npos);
  serves();
}

TEST_F(Configuration, AllThatIsWrongIsToldEverywhere) {
  const std::string wrong =
      "workers = many\nwrokers = 3\n[listener main]\nlisten = nowhere\n[vhost a]\n"
      "publish-key = #s3cret\nplay-kye = s3cret\n";
  const std::vector<std::string> told{
      ":1: workers = many", ":2: wrokers: unknown key", ":4: [listener main] listen = nowhere",
      ":6: [vhost a] publish-key = ...: expected comments", ":7: [vhost a] play-kye: unknown key"};
  const auto expect_all = [&](const std::string& text) {
    for (const std::string& part : told) {
      EXPECT_EQ(count_of(text, part), 1U) << part << " in: " << text;
    }
    EXPECT_EQ(text.find("s3cret"), std::string::npos) << text;
  };
  EventStream events(broker.control_path());
  broker.write_config(wrong);
  const Outcome reload = mpctl({"reload"});
  EXPECT_EQ(reload.exit, "exit 1");
  expect_all(reload.err);
  EXPECT_EQ(count_of(reload.err, "mpctl: "), told.size()) << "a line each";
  expect_all(std::string(events.await("reload").at("why").as_string()));
  expect_all(broker.log());
  const TempFolder folder;
  const std::string path = folder.write("wrong.ini", wrong);
  for (const char* program : {"mpbroker", "mpworker"}) {
    for (const bool check : {false, true}) {
      std::vector<std::string> arguments{"--config", path};
      if (check) arguments.emplace_back("--check-config");
      const Outcome outcome = run(program, arguments);
      EXPECT_EQ(outcome.exit, "exit 2");
      expect_all(outcome.err);
      EXPECT_EQ(count_of(outcome.err, std::string(program) + ": "), told.size());
    }
  }
  serves();
}

TEST_F(Configuration, WhatNeedsARestartIsToldAtEachReload) {
  broker.write_config("max-keys = 5\n" + std::string(kBase));
  for (int i = 0; i < 2; ++i) {
    const Outcome outcome = mpctl({"reload"});
    EXPECT_EQ(outcome.exit, "exit 0");
    EXPECT_NE(outcome.err.find("max-keys = 5: it stays 4000000 until mpbroker is started again"),
              std::string::npos)
        << outcome.err;
  }
}

TEST_F(Configuration, AnEmptySecretUnsetsNothing) {
  ASSERT_EQ(mpctl({"vhost", "a.test", "publish-key=one"}).exit, "exit 0");
  for (const char* set : {"publish-key=", "publish-key=\"\"", "publish-allow=", "on-publish="}) {
    const Outcome outcome = mpctl({"vhost", "a.test", set});
    EXPECT_EQ(outcome.exit, "exit 1") << set;
    EXPECT_NE(outcome.err.find("expected"), std::string::npos) << outcome.err;
  }
  const Outcome mistyped = mpctl({"vhost", "a.test", "publish-kye=s3cret"});
  EXPECT_EQ(mistyped.exit, "exit 1");
  EXPECT_NE(mistyped.err.find("publish-kye: unknown key"), std::string::npos) << mistyped.err;
  EXPECT_EQ(mistyped.err.find("s3cret"), std::string::npos) << mistyped.err;
  EXPECT_EQ(mpctl({"vhost", "a.test", "--unset", "publish-key"}).exit, "exit 0");
  EXPECT_EQ(broker.log().find("s3cret"), std::string::npos);
}

TEST_F(Configuration, ARequestWithAMemberOfAnotherTypeIsRefused) {
  const boost::json::object requests[] = {
      {{"command", "route"}, {"key", "7"}, {"slots", boost::json::array{0}}, {"listener", 5}},
      {{"command", "route"}, {"key", "7"}, {"slots", boost::json::array{0}}, {"remove", "true"}},
      {{"command", "vhost"}, {"name", "a"}, {"set", "publish-key=x"}},
      {{"command", "vhost"},
       {"name", "a"},
       {"set", boost::json::array{"jitter=off"}},
       {"unset", boost::json::array{1}}},
  };
  for (const auto& request : requests) {
    EXPECT_FALSE(broker.request(request).at("ok").as_bool()) << boost::json::serialize(request);
  }
}

TEST_F(Configuration, WarningsAreShownLoggedAndNoObstacle) {
  const std::string doubtful = std::string(kBase) + "mode = 0600\n";
  const TempFolder folder;
  std::string text = doubtful;
  text.replace(text.find("PORT"), 4, "0");
  const std::string path = folder.write("doubtful.ini", text);
  for (const char* program : {"mpbroker", "mpworker"}) {
    const Outcome outcome = run(program, {"--config", path, "--check-config"});
    EXPECT_EQ(outcome.exit, "exit 0");
    EXPECT_NE(outcome.out.find("the configuration is valid"), std::string::npos);
    EXPECT_NE(outcome.err.find(std::string(program) + ": warning: " + path +
                               ":4: [listener main] mode = 0600: it is about unix sockets"),
              std::string::npos)
        << outcome.err;
  }
  broker.write_config(doubtful);
  const Outcome reload = mpctl({"reload"});
  EXPECT_EQ(reload.exit, "exit 0");
  EXPECT_NE(reload.err.find("mpctl: warning: "), std::string::npos) << reload.err;
  EXPECT_EQ(count_of(broker.log(), "event=ignored option="), 1U) << broker.log();
  const auto answer = broker.request({{"command", "reload"}});
  EXPECT_EQ(answer.at("warnings").as_array().size(), 1U);
  const Outcome vhost = mpctl({"vhost", "a.test", "jitter=off"});
  EXPECT_EQ(vhost.exit, "exit 0");
  EXPECT_NE(vhost.err.find("no listener has protocol rtmp"), std::string::npos) << vhost.err;
  BrokerSetup fresh;
  fresh.config = doubtful;
  EXPECT_EQ(count_of(BrokerProcess(fresh).log(), "event=ignored option="), 1U);
}

/// A file that only root may read, and an account that is not root.
class SecretFile : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0 || ::getpwnam("nobody") == nullptr) {
      GTEST_SKIP() << "needs root and a user nobody";
    }
    ::chmod(programs.path().c_str(), 0755);  // where anybody may execute it
    std::filesystem::copy_file(program_path("mpworker"), programs.file("mpworker"));
  }
  [[nodiscard]] std::string text(const std::string& more) const {
    return "user = nobody\nworker-program = " + programs.file("mpworker") +
           "\n[listener main]\nlisten = 127.0.0.1:PORT\nprotocol = rtmp\n" + more;
  }
  static void make_secret(const BrokerProcess& broker) {
    ::chmod(broker.folder().file("mpbroker.ini").c_str(), 0600);
  }

  TempFolder programs;
};

TEST_F(SecretFile, WorkersNeedNotReadIt) {
  BrokerSetup setup;
  setup.config = text("[vhost a.test]\npublish-key = s3cret\n");
  const BrokerProcess broker(setup);
  broker.write_config(text("[vhost a.test]\n[vhost b.test]\n"));
  make_secret(broker);
  EXPECT_TRUE(broker.request({{"command", "reload"}}).at("ok").as_bool());
  EXPECT_TRUE(eventually([&] { return count_of(broker.log(), "event=vhosts count=2") == 2; }))
      << broker.log();
}

TEST_F(SecretFile, ASingleProcessReadsItAgainAsAnotherUser) {
  BrokerSetup setup;
  setup.arguments = {"--workers", "0"};
  setup.config = text("");
  setup.await_ready = false;
  const BrokerProcess process(setup);
  const std::string nobody = "\nUid:\t" + std::to_string(::getpwnam("nobody")->pw_uid) + "\t";
  ASSERT_TRUE(eventually([&] {
    return count_of(read_file("/proc/" + std::to_string(process.pid()) + "/status"), nobody) == 1;
  })) << process.log();
  const std::string path = process.folder().file("mpbroker.ini");
  process.write_config(text("[vhost a.test]\n"));
  make_secret(process);
  process.signal(SIGHUP);
  EXPECT_TRUE(eventually([&] { return count_of(process.log(), "event=vhosts count=1") == 1; }))
      << process.log();
  std::filesystem::remove(path);
  process.write_config(text("[vhost a.test]\n[vhost b.test]\n"));
  make_secret(process);
  process.signal(SIGHUP);
  EXPECT_TRUE(eventually([&] {
    return count_of(process.log(), "another file has taken its place") == 1;
  })) << process.log();
  ::chmod(process.folder().path().c_str(), 0755);
  ::chmod(path.c_str(), 0644);
  process.signal(SIGHUP);
  EXPECT_TRUE(eventually([&] { return count_of(process.log(), "event=vhosts count=2") == 1; }))
      << process.log();
}

TEST(ConfigurationFile, ThatCannotBeReadIsTheOperatorsToMend) {
  const TempFolder folder;
  const std::string fifo = folder.file("fifo");
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  for (const char* program : {"mpbroker", "mpworker"}) {
    for (const std::string& path :
         {folder.file("missing"), folder.path(), fifo, std::string("/dev/zero"),
          folder.write("empty.ini", ""), folder.write("wide.ini", utf16("workers = 2\n"))}) {
      for (const bool check : {false, true}) {
        std::vector<std::string> arguments{"--config", path};
        if (check) arguments.emplace_back("--check-config");
        const Outcome outcome = run(program, arguments);
        EXPECT_EQ(outcome.exit, "exit 2") << program << ' ' << path;
        EXPECT_NE(outcome.err.find(path), std::string::npos) << outcome.err;
      }
    }
  }
}

}  // namespace
}  // namespace mpb::test
