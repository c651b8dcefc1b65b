// Letters between workers, by real processes: workers do what the test says by letters to them.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <csignal>
#include <string>
#include <vector>

#include <boost/json/array.hpp>

#include "tests/integration/harness/broker_process.hpp"

namespace mpb::test {
namespace {

namespace json = boost::json;

class Talk : public testing::TestWithParam<const char*> {
 protected:
  static BrokerSetup setup(const std::string& workers, std::vector<std::string> more = {}) {
    const std::string name = GetParam();
    const std::string program =
        name.ends_with(".py") ? MPB_SOURCE_DIR "/tests/integration/" + name : program_path(name);
    BrokerSetup setup;
    setup.arguments = {"--protocol",       "talk",  "--workers",    workers,
                       "--worker-program", program, "--ping-limit", "60s"};
    setup.arguments.insert(setup.arguments.end(), more.begin(), more.end());
    return setup;
  }
  static json::object ask(const BrokerProcess& broker, json::object to, const std::string& topic,
                          const std::string& text, int timeout_ms = 20'000) {
    to["command"] = "ask";
    to["topic"] = topic;
    to["text"] = text;
    to["timeout_ms"] = timeout_ms;
    return broker.request(to);
  }
  /// What the worker in the slot answers to `do`.
  static std::string tell(const BrokerProcess& broker, int slot, const std::string& what) {
    const json::object report = ask(broker, {{"slot", slot}}, "do", what);
    const json::value* answers = report.if_contains("answers");
    if (answers == nullptr || answers->as_array().empty()) return json::serialize(report);
    return std::string(answers->as_array()[0].at("text").as_string());
  }
  /// Waits until its answer is that.
  static void expect_told(const BrokerProcess& broker, int slot, const std::string& what,
                          const std::string& expected) {
    std::string last;
    EXPECT_TRUE(eventually([&] { return (last = tell(broker, slot, what)) == expected; }))
        << "worker " << slot << ": " << last << "\n"
        << broker.log();
  }
  static std::int64_t letters(const BrokerProcess& broker, const char* counter) {
    return broker.request({{"command", "status"}})
        .at("broker")
        .at("letters")
        .at(counter)
        .to_number<std::int64_t>();
  }
};

std::size_t count(const std::string& text, std::string_view what) {
  std::size_t times = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++times;
  return times;
}

TEST_P(Talk, ALetterComesToWhomItIsFor) {
  const BrokerProcess broker(setup("3"));
  EXPECT_EQ(tell(broker, 0, "send 1 to the slot"), "queued");
  EXPECT_EQ(tell(broker, 0, "send 1.1 to the worker"), "queued");
  expect_told(broker, 1, "heard", "0.1#0 to the slot\n0.1#0 to the worker\n");
  EXPECT_EQ(tell(broker, 2, "heard"), "");
  EXPECT_EQ(tell(broker, 0, "send 0 to itself"), "queued");
  expect_told(broker, 0, "heard", "0.1#0 to itself\n");
}

TEST_P(Talk, LettersToManyComeInOneOrderToAllTheSenderToo) {
  const BrokerProcess broker(setup("3"));
  for (int i = 0; i < 5; ++i) {
    for (int slot = 0; slot < 3; ++slot) {
      EXPECT_EQ(tell(broker, slot, "send all " + std::to_string(i)), "queued");
    }
  }
  EXPECT_TRUE(eventually([&] { return count(tell(broker, 2, "heard"), "\n") == 15; }));
  const std::string heard = tell(broker, 2, "heard");
  expect_told(broker, 0, "heard", heard);
  expect_told(broker, 1, "heard", heard);
  std::size_t at = 0;
  for (int number = 1; number <= 15; ++number) {
    at = heard.find("#" + std::to_string(number) + " ", at);
    ASSERT_NE(at, std::string::npos) << heard;
  }
}

TEST_P(Talk, AGroupIsWhoHasJoinedAndAKeyIsItsOwners) {
  BrokerSetup three = setup("3", {"--route", "kitchen=2"});
  const BrokerProcess broker(three);
  EXPECT_EQ(tell(broker, 0, "join a"), "joined");
  EXPECT_EQ(tell(broker, 1, "join a"), "joined");
  EXPECT_EQ(tell(broker, 2, "send g:a hello"), "queued");
  expect_told(broker, 0, "heard", "2.1#1 hello\n");
  expect_told(broker, 1, "heard", "2.1#1 hello\n");
  EXPECT_EQ(tell(broker, 1, "leave a"), "left");
  EXPECT_EQ(tell(broker, 2, "send g:a again"), "queued");
  expect_told(broker, 0, "heard", "2.1#1 hello\n2.1#2 again\n");
  EXPECT_EQ(tell(broker, 1, "heard"), "2.1#1 hello\n");
  EXPECT_EQ(tell(broker, 0, "send k:kitchen soup"), "queued");
  expect_told(broker, 0, "losses", "op nobody owns the key\n");
  Client client(broker.port());
  client.send("kitchen\nhello\0");
  EXPECT_TRUE(broker.await_held(1));
  EXPECT_TRUE(eventually([&] {
    tell(broker, 0, "send k:kitchen soup");
    return tell(broker, 2, "heard").find("0.1#0 soup\n") != std::string::npos;
  }));
}

TEST_P(Talk, WhatDoesNotArriveIsTold) {
  const BrokerProcess broker(setup("2"));
  tell(broker, 0, "send 1.7 another generation");
  tell(broker, 0, "send 500 no such slot");
  tell(broker, 0, "send g:empty nobody");
  expect_told(broker, 0, "losses",
              "1.7 no such worker\n500.0 no such worker\nop nobody is in the group\n");
  EXPECT_EQ(letters(broker, "undeliverable"), 3);
  EXPECT_TRUE(eventually([&] { return tell(broker, 1, "losses").empty(); }));
}

TEST_P(Talk, ARequestIsAnsweredOrItIsToldWhyNot) {
  const BrokerProcess broker(setup("2"));
  EXPECT_TRUE(tell(broker, 0, "request 1 echo hello").ends_with(": hello"));
  EXPECT_EQ(tell(broker, 0, "request 1 nobody-listens x"), "it takes no such requests");
  EXPECT_EQ(tell(broker, 0, "request 1.9 echo x"), "no such worker");
  EXPECT_EQ(tell(broker, 0, "request 1 mute x"), "no answer in time");
  EXPECT_EQ(tell(broker, 0, "request k:nobody echo x"), "nobody owns the key");
}

TEST_P(Talk, AllAreAskedAtOnceAndTheMissingAreNamed) {
  const BrokerProcess broker(setup("3"));
  EXPECT_EQ(tell(broker, 0, "gather echo hi"), "0.1: hi\n1.1: hi\n2.1: hi\n");
  ASSERT_EQ(::kill(broker.worker_pid(1), SIGSTOP), 0);
  EXPECT_EQ(tell(broker, 0, "gather echo hi"),
            "0.1: hi\n2.1: hi\n1.1 missing: no answer in time\n");
  ASSERT_EQ(::kill(broker.worker_pid(1), SIGCONT), 0);
  EXPECT_EQ(tell(broker, 0, "gather echo hi"), "0.1: hi\n1.1: hi\n2.1: hi\n");
}

TEST_P(Talk, TheRingGoesRoundAndSkipsWhoIsBeingReplaced) {
  const BrokerProcess broker(setup("4"));
  EXPECT_EQ(tell(broker, 1, "ring "), "2.1+3.1+0.1+1.1");
  EventStream events(broker.control_path());
  ASSERT_EQ(::kill(broker.worker_pid(3), SIGSTOP), 0);
  EXPECT_EQ(tell(broker, 1, "ring "), "2.1+0.1+1.1 without 3.1") << "it is skipped in time";
  ASSERT_EQ(::kill(broker.worker_pid(3), SIGKILL), 0);
  EXPECT_FALSE(events.await("exit", 3).empty());
  ASSERT_TRUE(broker.await_workers(4));
  expect_told(broker, 1, "ring ", "2.1+3.2+0.1+1.1");
}

TEST_P(Talk, StoppedReceiversHoldUpNobodyAndTheirLettersAreTold) {
  const BrokerProcess broker(setup("5"));
  std::vector<pid_t> stopped;
  for (const int slot : {1, 3, 4}) stopped.push_back(broker.worker_pid(slot));
  for (const pid_t pid : stopped) ASSERT_EQ(::kill(pid, SIGSTOP), 0);
  // More than their sockets take and what one sender may let wait for each.
  EXPECT_TRUE(eventually([&] {
    for (const char* slot : {"1", "3", "4"}) {
      tell(broker, 0, "burst " + std::string(slot) + " 2000 20000");
    }
    return tell(broker, 0, "counts").find(" full 0 ") == std::string::npos;
  }));
  // More than a window to one that reads.
  EXPECT_TRUE(eventually([&] {
    tell(broker, 0, "burst 2 500 20");
    return std::stoul(tell(broker, 2, "counts").substr(std::string("bursts ").size())) > 1024;
  }));
  // To all more comes than it takes, and that is told.
  std::string counts;
  EXPECT_TRUE(eventually([&] {
    tell(broker, 2, "burst all 200 1000");
    counts = tell(broker, 2, "counts");
    return counts.find(" full 0 ") == std::string::npos;
  })) << counts;
  EXPECT_LE(letters(broker, "queued_bytes"), 3 << 20);
  EXPECT_GT(letters(broker, "queued"), 0);
  EXPECT_TRUE(eventually([&] { return tell(broker, 0, "send 2 to another") == "queued"; }));
  expect_told(broker, 2, "heard", "0.1#0 to another\n");
  EXPECT_TRUE(eventually([&] { return tell(broker, 2, "send all to all") == "queued"; }));
  EXPECT_TRUE(
      eventually([&] { return tell(broker, 0, "heard").find("to all") != std::string::npos; }));
  for (const pid_t pid : stopped) ASSERT_EQ(::kill(pid, SIGKILL), 0);
  EXPECT_TRUE(
      eventually([&] { return tell(broker, 0, "counts").find(" gone 0 ") == std::string::npos; }));
  ASSERT_TRUE(broker.await_workers(5));
  EXPECT_EQ(letters(broker, "queued"), 0);
  EXPECT_EQ(letters(broker, "queued_bytes"), 0);
}

TEST_P(Talk, ASenderFindsRoomAgainAndNothingIsLostOnTheWayToOneThatReads) {
  const BrokerProcess broker(setup("2"));
  std::size_t sent = 0;
  for (int i = 0; i < 20; ++i) sent += std::stoul(tell(broker, 0, "burst 1 5000 200"));
  EXPECT_GT(sent, 2048U) << "more than the window of one sender";
  std::string counts;
  std::string lost;
  EXPECT_TRUE(eventually([&] {
    counts = tell(broker, 1, "counts");
    return counts.starts_with("bursts " + std::to_string(sent) + " ");
  })) << counts
      << ", sent " << sent;
  lost = tell(broker, 0, "counts");
  EXPECT_NE(lost.find(" full 0 gone 0 "), std::string::npos) << lost;
  EXPECT_EQ(lost.find(" rooms 0"), std::string::npos) << "it was told of the room";
}

TEST_P(Talk, DescriptorsGoAlong) {
  const BrokerProcess broker(setup("3"));
  EXPECT_EQ(tell(broker, 0, "sealed 1 100000"), "queued");
  expect_told(broker, 1, "heard", "0.1#0 sealed 100000\n");
  EXPECT_EQ(tell(broker, 0, "unsealed 1 1"), "queued");
  expect_told(broker, 1, "heard", "0.1#0 sealed 100000\n0.1#0 unsealed\n");
  EXPECT_EQ(tell(broker, 2, "sealed all 5"), "queued");
  for (const int slot : {0, 2}) expect_told(broker, slot, "heard", "2.1#1 sealed 5\n");
  EXPECT_EQ(letters(broker, "descriptors"), 5);
}

TEST_P(Talk, WorkersAreToldWhatHappensToWorkers) {
  const BrokerProcess broker(setup("2"));
  EXPECT_EQ(tell(broker, 0, "watch"), "watching");
  expect_told(broker, 0, "events", "online 0.1\nonline 1.1\ncurrent op\n");
  ASSERT_EQ(::kill(broker.worker_pid(1), SIGKILL), 0);
  expect_told(broker, 0, "events",
              "online 0.1\nonline 1.1\ncurrent op\ndisconnect 1.1\nexit 1.1\nfork 1.2\n"
              "online 1.2\n");
  EXPECT_TRUE(broker.request({{"command", "drain"}, {"slot", 1}}).at("ok").as_bool());
  expect_told(broker, 0, "events",
              "online 0.1\nonline 1.1\ncurrent op\ndisconnect 1.1\nexit 1.1\nfork 1.2\n"
              "online 1.2\ndrain 1.2\ndisconnect 1.2\nexit 1.2\nfork 1.3\nonline 1.3\n");
}

TEST_P(Talk, TheOperatorSendsAndAsks) {
  const BrokerProcess broker(setup("2"));
  const auto mpctl = [&broker](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--control-socket", broker.control_path()});
    return run("mpctl", std::move(arguments));
  };
  EXPECT_EQ(mpctl({"send", "all", "news", "to all"}).exit, "exit 0");
  for (const int slot : {0, 1}) expect_told(broker, slot, "heard", "op#1 to all\n");
  EXPECT_EQ(mpctl({"send", "1.1", "news", "to one"}).exit, "exit 0");
  expect_told(broker, 1, "heard", "op#1 to all\nop#0 to one\n");
  Outcome outcome = mpctl({"send", "7", "news", "nobody"});
  EXPECT_EQ(outcome.exit, "exit 1");
  EXPECT_NE(outcome.err.find("no such worker"), std::string::npos) << outcome.err;
  outcome = mpctl({"ask", "all", "echo", "hello"});
  EXPECT_EQ(outcome.exit, "exit 0");
  EXPECT_EQ(outcome.out, "0.1: hello\n1.1: hello\n");
  ASSERT_EQ(::kill(broker.worker_pid(1), SIGSTOP), 0);
  outcome = mpctl({"ask", "all", "echo", "hello", "--timeout", "300ms"});
  EXPECT_EQ(outcome.exit, "exit 1");
  EXPECT_EQ(outcome.out, "0.1: hello\n");
  EXPECT_EQ(outcome.err, "no answer from worker 1.1: no answer in time\n");
  ASSERT_EQ(::kill(broker.worker_pid(1), SIGCONT), 0);
  outcome = mpctl({"ask", "0", "nobody-listens", "x"});
  EXPECT_EQ(outcome.exit, "exit 1");
  EXPECT_NE(outcome.err.find("takes no such requests"), std::string::npos) << outcome.err;
}

TEST_P(Talk, TheOperatorHearsOfLettersAndOfTheirNumber) {
  const BrokerProcess broker(setup("2"));
  EventStream events(broker.control_path());
  EXPECT_EQ(tell(broker, 1, "send op hello, operator"), "queued");
  const json::object letter = events.await("letter", 1);
  ASSERT_FALSE(letter.empty());
  EXPECT_EQ(letter.at("text").as_string(), "hello, operator");
  EXPECT_EQ(letter.at("topic").as_string(), "news");
  EXPECT_EQ(letter.at("generation").to_number<int>(), 1);
  const json::object message = events.await("message", 1);
  ASSERT_FALSE(message.empty());
  EXPECT_GT(message.at("letters").to_number<int>(), 0);
}

class RingExample : public testing::TestWithParam<const char*> {};

/// cincau's scenario.
TEST_P(RingExample, TheMemoryOfAllIsAddedUpAndToldToAll) {
  const std::string name = GetParam();
  BrokerSetup setup;
  setup.arguments = {
      "--protocol",
      "ring",
      "--workers",
      "4",
      "--worker-program",
      name.ends_with(".py") ? MPB_SOURCE_DIR "/examples/" + name : program_path(name)};
  const BrokerProcess broker(setup);
  const auto ask = [&broker] {
    Client client(broker.port());
    client.send("?\n");
    std::string heard;
    while (count(heard, "\n") < 2) {
      char bytes[512];
      pollfd readable{client.fd(), POLLIN, 0};
      if (::poll(&readable, 1, static_cast<int>(scaled(kPatience).count())) != 1) break;
      const ssize_t size = ::recv(client.fd(), bytes, sizeof bytes, 0);
      if (size <= 0) break;
      heard.append(bytes, static_cast<std::size_t>(size));
    }
    return heard;
  };
  const std::string first = ask();
  EXPECT_NE(first.find(" KiB in 4\n"), std::string::npos) << first << broker.log();
  // Whichever worker accepts the next clients: each knows what was told to all.
  EXPECT_TRUE(eventually([&] { return ask().find(" KiB in 4\ntotal") != std::string::npos; }));
  EventStream events(broker.control_path());
  ASSERT_EQ(::kill(broker.worker_pid(3), SIGKILL), 0);
  EXPECT_FALSE(events.await("exit", 3).empty());
  ASSERT_TRUE(broker.await_workers(4));
  EXPECT_TRUE(eventually([&] { return ask().ends_with(" KiB in 4\n"); }))
      << "its successor adds, too";
}

INSTANTIATE_TEST_SUITE_P(Examples, RingExample, testing::Values("ring_worker", "ring_worker.py"),
                         [](const auto& parameter) {
                           const std::string name = parameter.param;
                           return std::string(name.ends_with(".py") ? "Python" : "Cpp");
                         });

INSTANTIATE_TEST_SUITE_P(Tongues, Talk, testing::Values("talk_worker", "talk_worker.py"),
                         [](const auto& parameter) {
                           const std::string name = parameter.param;
                           return std::string(name.ends_with(".py") ? "Python" : "Cpp");
                         });

}  // namespace
}  // namespace mpb::test
