// What becomes of configurations that are wrong, or no text at all, while a broker runs and at its
// start.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>

#include "tests/integration/harness/broker_process.hpp"

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
  const auto answer =
      broker.request({{"command", "vhost"}, {"name", "a b"}, {"set", {"latency=realtime"}}});
  EXPECT_FALSE(answer.at("ok").as_bool());
  const Outcome outcome = run("mpbroker", {"--config", "/nonexistent/\xfc"});
  EXPECT_EQ(outcome.exit, "exit 2");
  EXPECT_NE(outcome.err.find("/nonexistent/?"), std::string::npos) << outcome.err;
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
