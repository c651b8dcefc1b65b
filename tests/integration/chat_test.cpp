// The chat of the examples, with real processes: members of a room meet in one worker.
#include <gtest/gtest.h>

#include <csignal>
#include <deque>
#include <string>
#include <vector>

#include "tests/integration/harness/broker_process.hpp"
#include "tests/integration/harness/line_client.hpp"

namespace mpb::test {
namespace {

using Member = LineClient;

std::string welcome(const std::string& room, std::size_t number) {
  return "welcome to " + room + ", " + std::to_string(number) + " here";
}

class Chat : public testing::TestWithParam<const char*> {
 protected:
  static std::string program() {
    const std::string name = GetParam();
    return name.ends_with(".py") ? MPB_SOURCE_DIR "/examples/" + name : program_path(name);
  }
  static BrokerSetup setup(const std::string& workers) {
    BrokerSetup setup;
    setup.arguments = {"--protocol", "chat", "--workers", workers, "--worker-program", program()};
    return setup;
  }
  void join(const BrokerProcess& broker, const std::string& room, std::deque<Member>& members) {
    members.emplace_back(broker.port(), room);
    ASSERT_EQ(members.back().hear(), welcome(room, members.size())) << broker.log();
  }
  static void expect_all_hear(std::deque<Member>& members, const std::string& line) {
    for (Member& member : members) EXPECT_EQ(member.hear(), line);
  }
};

TEST_P(Chat, EachHearsItsRoomOnlyAndAWorkerThatIsKilledTakesNoOtherRoomAlong) {
  BrokerSetup three = setup("3");
  for (const char* route : {"kitchen=0", "garden=1"}) {
    three.arguments.insert(three.arguments.end(), {"--route", route});
  }
  const BrokerProcess broker(three);
  std::deque<Member> kitchen;
  std::deque<Member> garden;
  for (int i = 0; i < 10; ++i) {
    join(broker, "kitchen", kitchen);
    join(broker, "garden", garden);
  }
  kitchen[3].say("soup");
  garden[4].say("roses");
  kitchen[5].say("bread");
  expect_all_hear(garden, "roses");
  garden[6].say("tulips");
  expect_all_hear(garden, "tulips");
  for (Member& member : kitchen) {
    const std::string first = member.hear();
    const std::string second = member.hear();
    EXPECT_TRUE((first == "soup" && second == "bread") || (first == "bread" && second == "soup"))
        << first << " " << second;
  }
  ASSERT_EQ(::kill(broker.worker_pid(0), SIGKILL), 0);
  expect_all_hear(kitchen, std::string(kEof));
  garden[0].say("apples");
  expect_all_hear(garden, "apples");
  ASSERT_TRUE(broker.await_workers(3));
  std::deque<Member> again;
  join(broker, "kitchen", again);
  again[0].say("tea");
  EXPECT_EQ(again[0].hear(), "tea");
}

TEST_P(Chat, AMemberThatLeavesIsMissedByNobody) {
  const BrokerProcess broker(setup("2"));
  std::deque<Member> members;
  for (int i = 0; i < 4; ++i) join(broker, "kitchen", members);
  members.pop_front();
  std::deque<Member> last;
  EXPECT_TRUE(broker.await_held(3));
  members[0].say("who is left?");
  expect_all_hear(members, "who is left?");
}

TEST_P(Chat, ALineInPiecesIsOneLine) {
  const BrokerProcess broker(setup("1"));
  Client client(broker.port());
  client.send_byte_by_byte(std::string("room\nhello\0\n", 12));
  EXPECT_EQ(client.read_text(), "welcome to room, 1 here\nhello");
}

TEST_P(Chat, ABrokerThatStopsEndsItsWorkers) {
  BrokerProcess broker(setup("2"));
  { Member(broker.port(), "kitchen").hear(); }
  broker.signal(SIGTERM);
  EXPECT_EQ(broker.wait_exit(), "exit 0") << broker.log();
}

TEST_P(Chat, MembersOfAFullWorkerSpillOverAndThenNobodyTakesThem) {
  BrokerSetup two = setup("2");
  two.arguments.insert(two.arguments.end(), {"--max-clients", "3"});
  const BrokerProcess broker(two);
  std::vector<Member> members;
  for (int i = 0; i < 6; ++i) {
    members.emplace_back(broker.port(), "kitchen");
    EXPECT_TRUE(members.back().hear().starts_with("welcome to kitchen, ")) << broker.log();
  }
  Member more(broker.port(), "kitchen");
  EXPECT_EQ(more.hear(), "busy");
  EXPECT_EQ(more.hear(), kEof);
}

TEST_P(Chat, GoesOnWithoutItsBroker) {
  BrokerProcess broker(setup("2"));
  std::deque<Member> members;
  for (int i = 0; i < 4; ++i) join(broker, "kitchen", members);
  broker.forget_rest();
  broker.signal(SIGKILL);
  EXPECT_EQ(broker.wait_exit(), "signal 9");
  members[1].say("still here");
  expect_all_hear(members, "still here");
}

TEST_P(Chat, WhatAMemberSaysBeforeItEndsItsSideIsHeardAndItHearsTheAnswer) {
  const BrokerProcess broker(setup("2"));
  std::deque<Member> members;
  join(broker, "kitchen", members);
  Member last(broker.port(), "kitchen");
  last.say("bye");
  last.finish_sending();
  EXPECT_EQ(last.hear(), welcome("kitchen", 2));
  EXPECT_EQ(last.hear(), "bye");
  EXPECT_EQ(last.hear(), kEof);
  EXPECT_EQ(members[0].hear(), "bye");
}

TEST_P(Chat, ANameThatIsTooLongIsRefused) {
  const BrokerProcess broker(setup("1"));
  Member member(broker.port(), std::string(65, 'x'));
  EXPECT_EQ(member.hear(), "bad name of a room");
  EXPECT_EQ(member.hear(), kEof);
}

TEST(ChatAlone, IsTheSameProgram) {
  BrokerSetup setup;
  setup.arguments = {
      "--workers", "0", "--protocol", "chat", "--worker-program", program_path("chat_worker")};
  setup.await_ready = false;  // that would speak another protocol
  const BrokerProcess process(setup);
  ASSERT_TRUE(eventually([&] { return !is_refused(process.port()); }));
  std::deque<Member> members;
  for (std::size_t i = 1; i <= 3; ++i) {
    members.emplace_back(process.port(), "kitchen");
    EXPECT_EQ(members.back().hear(), welcome("kitchen", i)) << process.log();
  }
  members[1].say("hello");
  for (Member& member : members) EXPECT_EQ(member.hear(), "hello");
}

INSTANTIATE_TEST_SUITE_P(Examples, Chat, testing::Values("chat_worker.py", "chat_worker"),
                         [](const auto& parameter) {
                           const std::string name = parameter.param;
                           return std::string(name.ends_with(".py") ? "Python" : "Cpp");
                         });

}  // namespace
}  // namespace mpb::test
