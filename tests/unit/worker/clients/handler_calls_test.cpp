// What a worker calls of a handler, and when: above all on_open.
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/support/line_classifier.hpp"
#include "tests/support/lone_worker.hpp"

namespace mpb {
namespace {

using test::LineClassifier;
using test::LoneWorker;
using Events = std::vector<std::string>;

/// Writes down its calls. A line "move KEY" moves the client; all other bytes are told to everybody
/// of its key.
class Recorder final : public Handler {
 public:
  enum class AtOpen { kNothing, kFinish, kCloseSlow };
  struct Record {
    Events events;
    AtOpen at_open = AtOpen::kNothing;
  };
  explicit Recorder(Record& record) : record_(record) {}

  void on_open(Client& client) override {
    record_.events.push_back("open " + std::string(client.key));
    members_[std::string(client.key)].insert(client.connection);
    if (record_.at_open == AtOpen::kFinish) client.connection->finish();
    if (record_.at_open == AtOpen::kCloseSlow) client.connection->close_slow();
  }
  Step on_bytes(Client& client, std::string_view bytes, std::string&) override {
    record_.events.push_back("bytes " + std::string(client.key) + " " + std::string(bytes));
    constexpr std::string_view kMove = "move ";
    if (bytes.starts_with(kMove)) {
      members_[std::string(client.key)].erase(client.connection);
      return {Step::Next::kMove, bytes.size(), std::string(bytes.substr(kMove.size()))};
    }
    std::string text(bytes);
    const iovec slice{text.data(), text.size()};
    for (Connection* member : members_[std::string(client.key)]) member->send({&slice, 1});
    return {Step::Next::kContinue, bytes.size()};
  }
  void on_close(Client& client) override {
    record_.events.push_back("close " + std::string(client.key));
    members_[std::string(client.key)].erase(client.connection);
  }

 private:
  Record& record_;
  std::map<std::string, std::set<Connection*>> members_;
};

class HandlerCalls : public testing::Test {
 protected:
  HandlerCalls() {
    registry_.add_protocol("line", "record",
                           [](auto&, auto&) { return std::make_unique<LineClassifier>(); });
    registry_.add_handler("line", "record",
                          [this](auto&, auto&) { return std::make_unique<Recorder>(record_); });
    worker_ = std::make_unique<LoneWorker>(registry_, "line");
  }
  ~HandlerCalls() override { worker_.reset(); }

  bool await_events(const Events& events) {
    const bool came = worker_->turns_until([&] { return record_.events.size() >= events.size(); });
    EXPECT_EQ(record_.events, events);
    return came;
  }
  void keep(std::uint64_t handoff, std::uint32_t epoch) {
    const channel::KeepEntry entry{handoff, 77, epoch};
    worker_->send(channel::Keep{std::span(&entry, 1)});
  }

  Registry registry_;
  Recorder::Record record_;
  std::unique_ptr<LoneWorker> worker_;
};

TEST_F(HandlerCalls, ADeliveredClientIsOpenedThoughItSaysNothing) {
  const UniqueFd client = worker_->deliver("a");
  await_events({"open a"});
}

TEST_F(HandlerCalls, OpenComesBeforeTheBytesThatCameAlong) {
  const UniqueFd client = worker_->deliver("a", "hello");
  await_events({"open a", "bytes a hello"});
}

TEST_F(HandlerCalls, AClientOfAKeyThatIsOwnedIsOpenedOnceItIsClassified) {
  const UniqueFd first = worker_->deliver("a", {}, 1);
  const UniqueFd second = worker_->connect();
  worker_->say(second, "a\n");
  await_events({"open a", "open a"});
}

TEST_F(HandlerCalls, AKeptClientIsOpenedAfterItsAck) {
  const UniqueFd client = worker_->connect();
  worker_->say(client, "a\nhello");
  const auto handoff = worker_->await<channel::Handoff>();
  EXPECT_EQ(record_.events, Events{}) << "it is not this worker's yet";
  keep(handoff.handoff, 1);
  worker_->await<channel::Ack>();
  await_events({"open a", "bytes a hello"});
}

TEST_F(HandlerCalls, AClientThatMovesWithinTheWorkerIsOpenedUnderItsNewKey) {
  const UniqueFd other = worker_->deliver("b", {}, 1);
  const UniqueFd client = worker_->deliver("a", {}, 2);
  worker_->say(client, "move b");
  await_events({"open b", "open a", "bytes a move b", "open b", "bytes b "});
}

TEST_F(HandlerCalls, AClientThatWantedToMoveAndIsKeptIsOpenedUnderItsNewKey) {
  const UniqueFd client = worker_->deliver("a", {}, 1);
  worker_->say(client, "move b");
  const auto handoff = worker_->await<channel::Handoff>();
  keep(handoff.handoff, 2);
  await_events({"open a", "bytes a move b", "close a", "open b", "bytes b "});
}

TEST_F(HandlerCalls, WhatIsSaidReachesMembersThatHaveSaidNothing) {
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 5; ++i) silent.push_back(worker_->deliver("a", {}, 1));
  const UniqueFd elsewhere = worker_->deliver("b");
  const UniqueFd speaker = worker_->connect();
  worker_->say(speaker, "a\nhello");
  for (const UniqueFd& member : silent) EXPECT_EQ(worker_->hear(member, 5), "hello");
  EXPECT_EQ(worker_->hear(speaker, 5), "hello");
  char byte = 0;
  EXPECT_EQ(::recv(elsewhere.get(), &byte, 1, MSG_DONTWAIT), -1);
}

TEST_F(HandlerCalls, AClassifierKnowsWhereAClientComesFrom) {
  const UniqueFd client = worker_->connect();
  worker_->say(client, "who ");
  worker_->loop().turn(Duration{20});
  worker_->say(client, "am I?\n");
  EXPECT_EQ(worker_->hear(client, 100), local_endpoint(client.get()).value().to_string());
}

TEST_F(HandlerCalls, AClientMayBeEndedInOnOpen) {
  for (const auto how : {Recorder::AtOpen::kFinish, Recorder::AtOpen::kCloseSlow}) {
    record_ = {{}, how};
    const UniqueFd delivered = worker_->deliver("a", "hello", 1);
    EXPECT_TRUE(worker_->sees_end(delivered));
    const UniqueFd accepted = worker_->connect();
    worker_->say(accepted, "a\nhello");
    EXPECT_TRUE(worker_->sees_end(accepted));
    ::shutdown(delivered.get(), SHUT_RDWR);
    ::shutdown(accepted.get(), SHUT_RDWR);
    worker_->turns_until([&] { return record_.events.size() >= 4; });
    std::multiset<std::string> events(record_.events.begin(), record_.events.end());
    EXPECT_EQ(events, (std::multiset<std::string>{"open a", "open a", "close a", "close a"}));
  }
}

}  // namespace
}  // namespace mpb
