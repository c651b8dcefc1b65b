// What a handler may do with a client's connection besides answering its bytes.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <vector>

#include "proto/control/classifier.hpp"
#include "tests/support/lone_worker.hpp"

namespace mpb {
namespace {

using test::LoneWorker;

/// Does what the test says.
struct Script {
  std::vector<Connection*> clients;  // in the order of their coming
  std::string heard;
  std::function<Step(Client&, std::string_view)> on_bytes;
  std::function<void(Client&)> on_close;
  std::string answer;  // to all bytes
  int ends = 0;
  int closes = 0;
  bool half_closed = false;
};

class Scripted final : public Handler {
 public:
  explicit Scripted(Script& script) : script_(script) {}
  void on_open(Client& client) override { script_.clients.push_back(client.connection); }
  Step on_bytes(Client& client, std::string_view bytes, std::string& out) override {
    script_.heard += bytes;
    out += script_.answer;
    if (script_.on_bytes) return script_.on_bytes(client, bytes);
    return {Step::Next::kContinue, bytes.size()};
  }
  [[nodiscard]] bool serves_half_closed() const override { return script_.half_closed; }
  void on_end(Client&) override { ++script_.ends; }
  void on_close(Client& client) override {
    ++script_.closes;
    if (script_.on_close) script_.on_close(client);
  }

 private:
  Script& script_;
};

class ConnectionTest : public testing::Test {
 protected:
  ConnectionTest() {
    registry_.add_protocol("scripted", "scripted",
                           [](auto&, auto&) { return std::make_unique<PingClassifier>(); });
    registry_.add_handler("scripted", "scripted",
                          [this](auto&, auto&) { return std::make_unique<Scripted>(script_); });
    worker_ = std::make_unique<LoneWorker>(registry_, "scripted");
  }
  /// A client that the handler knows.
  UniqueFd come() {
    const std::size_t before = script_.clients.size();
    UniqueFd client = worker_->deliver("a");
    EXPECT_TRUE(worker_->turns_until([&] { return script_.clients.size() > before; }));
    return client;
  }

  Script script_;
  Registry registry_;
  std::unique_ptr<LoneWorker> worker_;
};

std::string numbered(std::size_t number) {
  std::string text = std::to_string(number) + "\n";
  return std::string(1000 - text.size(), '.') + text;
}

TEST_F(ConnectionTest, WhatTheSocketDoesNotTakeIsKeptUpToABound) {
  const UniqueFd client = come();
  std::string taken;
  std::size_t number = 0;
  while (script_.clients[0]->write(numbered(number))) taken += numbered(number++);
  EXPECT_GT(taken.size(), Connection::kMaxUnsent - 1000);
  EXPECT_FALSE(script_.clients[0]->write(numbered(number)));
  EXPECT_EQ(script_.closes, 0) << "what to do about it is the handler's";
  EXPECT_TRUE(worker_->hear(client, taken.size()) == taken) << "whole and in order";
  EXPECT_TRUE(script_.clients[0]->write("more"));
  EXPECT_EQ(worker_->hear(client, 4), "more");
}

TEST_F(ConnectionTest, AClientThatLeavesTooMuchOfAnAnswerIsClosedByIt) {
  script_.answer = std::string(64UL * 1024 * 1024, '.');
  const UniqueFd client = worker_->deliver("a", "hello");
  EXPECT_TRUE(worker_->turns_until([&] { return script_.closes == 1; }));
  script_.answer = "hello";
  EXPECT_EQ(worker_->hear(worker_->deliver("a", "hello"), 5), "hello");
}

TEST_F(ConnectionTest, AClientIsWrittenToWithinAnothersCallback) {
  const UniqueFd first = come();
  const UniqueFd second = come();
  script_.on_bytes = [this](Client&, std::string_view bytes) {
    for (Connection* client : script_.clients) EXPECT_TRUE(client->write(bytes));
    return Step{Step::Next::kContinue, bytes.size()};
  };
  worker_->say(first, "hello");
  EXPECT_EQ(worker_->hear(first, 5), "hello");
  EXPECT_EQ(worker_->hear(second, 5), "hello");
}

TEST_F(ConnectionTest, AClientThatEndsIsNotWrittenTo) {
  const UniqueFd client = come();
  EXPECT_TRUE(script_.clients[0]->write("bye"));
  script_.clients[0]->finish();
  EXPECT_FALSE(script_.clients[0]->write("too late"));
  EXPECT_EQ(worker_->hear(client, 100), "bye");
}

TEST_F(ConnectionTest, EndingAClientWithinAnothersCallbackLeavesTheBytesOfThatOneAlone) {
  const UniqueFd first = come();
  const UniqueFd second = come();
  std::string after;
  script_.on_bytes = [&](Client&, std::string_view bytes) {
    worker_->say(second, "XXXXXXXXXXXXXXXX");  // is unread when it is ended
    script_.clients[1]->finish();
    after = bytes;
    return Step{Step::Next::kContinue, bytes.size()};
  };
  worker_->say(first, "hello");
  EXPECT_TRUE(worker_->sees_end(second));
  EXPECT_EQ(after, "hello");
}

TEST_F(ConnectionTest, AnAnswerThatThereWasNoMemoryForGoesToNobodyElse) {
  script_.answer = "mine";
  script_.on_bytes = [](Client&, std::string_view) -> Step { throw std::bad_alloc(); };
  const UniqueFd first = come();
  worker_->say(first, "hello");
  EXPECT_EQ(worker_->hear(first, 100), "");
  script_ = {};
  script_.answer = "yours";
  const UniqueFd second = come();
  worker_->say(second, "hello");
  EXPECT_EQ(worker_->hear(second, 5), "yours");
}

TEST_F(ConnectionTest, AClientThatIsEndedWithinItsOwnCallbackEndsOnce) {
  std::vector<UniqueFd> later;
  for (const bool at_once : {true, false}) {
    for (const Step::Next next : {Step::Next::kContinue, Step::Next::kYield, Step::Next::kWait,
                                  Step::Next::kMove, Step::Next::kClose, Step::Next::kReject}) {
      script_ = {};
      script_.answer = "too late";
      script_.on_bytes = [&](Client& client, std::string_view bytes) {
        at_once ? client.connection->close_slow() : client.connection->finish();
        return Step{next, bytes.size(), "b"};
      };
      const UniqueFd client = come();
      worker_->say(client, "hello");
      EXPECT_EQ(worker_->hear(client, 100), "");
      ::shutdown(client.get(), SHUT_RDWR);
      EXPECT_TRUE(worker_->turns_until([&] { return script_.closes > 0; }));
      script_.on_bytes = nullptr;
      for (int i = 0; i < 2; ++i) later.push_back(come());
      EXPECT_EQ(script_.closes, 1);
      EXPECT_NE(script_.clients[1], script_.clients[2]);
    }
  }
}

TEST_F(ConnectionTest, NothingIsDoneToAClientWhileItsHandlerLetsGoOfIt) {
  script_.on_bytes = [](Client&, std::string_view bytes) {
    const Step::Next next = bytes == "move"  ? Step::Next::kMove
                            : bytes == "end" ? Step::Next::kClose
                                             : Step::Next::kContinue;
    return Step{next, bytes.size(), "b"};
  };
  script_.on_close = [](Client& client) {
    std::string text = "late";
    const iovec slice{text.data(), text.size()};
    EXPECT_FALSE(client.connection->write(text));
    EXPECT_EQ(client.connection->send({&slice, 1}).value_or(0), 0U);
    client.connection->proceed();
    client.connection->finish();
    client.connection->close_slow();
  };
  const UniqueFd client = come();
  worker_->say(client, "move");
  const channel::KeepEntry entry{worker_->await<channel::Handoff>().handoff, 77, 1};
  worker_->send(channel::Keep{std::span(&entry, 1)});
  EXPECT_TRUE(worker_->turns_until([&] { return script_.clients.size() == 2; }));
  EXPECT_EQ(script_.closes, 1);
  EXPECT_TRUE(script_.clients[1]->write("here"));
  EXPECT_EQ(worker_->hear(client, 4), "here");
  worker_->say(client, "end");
  EXPECT_EQ(worker_->hear(client, 100), "");
  ::shutdown(client.get(), SHUT_RDWR);
  EXPECT_TRUE(worker_->turns_until([&] { return script_.closes == 2; }));
}

TEST_F(ConnectionTest, AClientThatSendsNoMoreIsClosed) {
  const UniqueFd client = come();
  ::shutdown(client.get(), SHUT_WR);
  EXPECT_TRUE(worker_->sees_end(client));
  EXPECT_EQ(script_.ends, 0);
}

TEST_F(ConnectionTest, AClientThatSendsNoMoreIsServedOnWhereTheHandlerWantsIt) {
  script_.half_closed = true;
  const UniqueFd client = come();
  worker_->say(client, "hello");
  ::shutdown(client.get(), SHUT_WR);
  ASSERT_TRUE(worker_->turns_until([&] { return script_.ends == 1; }));
  EXPECT_EQ(script_.heard, "hello");
  EXPECT_EQ(script_.closes, 0);
  int turns = 0;
  worker_->loop().after(Duration{50}, [&] { turns = -1000; });
  ASSERT_TRUE(worker_->turns_until([&] { return ++turns < 0; }));
  EXPECT_LT(turns + 1000, 20) << "it does not spin";
  EXPECT_TRUE(script_.clients[0]->write("answer"));
  script_.clients[0]->finish();
  EXPECT_EQ(worker_->hear(client, 100), "answer");
  EXPECT_TRUE(worker_->turns_until([&] { return script_.closes == 1; }));
  EXPECT_EQ(script_.ends, 1);
}

TEST_F(ConnectionTest, TheEndIsToldBehindWhatTheHandlerLetWait) {
  script_.half_closed = true;
  script_.on_bytes = [](Client&, std::string_view bytes) {
    return Step{Step::Next::kWait, bytes.size()};
  };
  const UniqueFd client = come();
  worker_->say(client, "hello");
  ASSERT_TRUE(worker_->turns_until([&] { return script_.heard == "hello"; }));
  worker_->say(client, " world");
  ::shutdown(client.get(), SHUT_WR);
  for (int i = 0; i < 3; ++i) worker_->loop().turn(Duration{0});
  EXPECT_EQ(script_.ends + script_.closes, 0);
  script_.on_bytes = nullptr;
  script_.clients[0]->proceed();
  EXPECT_TRUE(worker_->turns_until([&] { return script_.ends == 1; }));
  EXPECT_EQ(script_.heard, "hello world");
}

TEST_F(ConnectionTest, AHalfClosedClientThatGoesAwayIsClosed) {
  script_.half_closed = true;
  UniqueFd client = come();
  ::shutdown(client.get(), SHUT_WR);
  ASSERT_TRUE(worker_->turns_until([&] { return script_.ends == 1; }));
  const linger reset{1, 0};
  ::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  client.reset();
  EXPECT_TRUE(worker_->turns_until([&] { return script_.closes == 1; }));
}

}  // namespace
}  // namespace mpb
