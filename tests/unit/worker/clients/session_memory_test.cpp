// A client for whom there is no memory where it is to be given away.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <memory>
#include <new>
#include <string>
#include <utility>

#include "tests/support/line_classifier.hpp"
#include "tests/support/socket_pair.hpp"
#include "worker/served_listener.hpp"
#include "worker/worker_context.hpp"
#include "worker/worker_environment.hpp"

namespace mpb {
namespace {

/// Moves each client.
class Mover final : public Handler {
 public:
  explicit Mover(std::string& calls) : calls_(calls) {}
  Step on_bytes(Client&, std::string_view bytes, std::string&) override {
    return {Step::Next::kMove, bytes.size(), "b"};
  }
  void on_shortage(Client&) override { calls_ += "shortage "; }
  void on_close(Client&) override { calls_ += "close "; }

 private:
  std::string& calls_;
};

class SessionMemory : public testing::Test {
 protected:
  SessionMemory() {
    worker_.alone = false;
    worker_.give_away = [](HeldClient&&) { throw std::bad_alloc(); };
    listener_.classifier = std::make_unique<test::LineClassifier>();
    listener_.handler = std::make_unique<Mover>(calls_);
  }
  HeldClient come() {
    test::SocketPair pair = test::tcp_pair();
    peer_ = std::move(pair.peer);
    return {worker_, listener_, {std::move(pair.ours), StreamKind::kTcp}};
  }
  void expect_turned_away() {
    char byte = 0;
    EXPECT_EQ(::recv(peer_.get(), &byte, 1, MSG_DONTWAIT), 0);
    EXPECT_EQ(worker_.clients.held(), 0U);
    EXPECT_EQ(environment_.memory.used(), 0U);
    std::uint64_t told = 0;
    for (const auto count : environment_.notices.refused()) told += count;
    EXPECT_EQ(told, 1U);
  }

  EventLoop loop_;
  WorkerEnvironment environment_{loop_};
  WorkerContext worker_{loop_, environment_};
  ServedListener listener_;
  UniqueFd peer_;
  std::string calls_;
};

TEST_F(SessionMemory, OneThatWasClassifiedIsToldOfAndClosed) {
  HeldClient client = come();
  ASSERT_EQ(::send(peer_.get(), "a\n", 2, MSG_NOSIGNAL), 2);
  Session::start(std::move(client));
  expect_turned_away();
  EXPECT_EQ(calls_, "shortage close ");
}

TEST_F(SessionMemory, OneThatWasServedIsToldOfAndClosedAndItsHandlerHasLetGo) {
  HeldClient client = come();
  client.enter("a", 1);
  client.input = "hello";
  Session::start(std::move(client));
  expect_turned_away();
  EXPECT_EQ(calls_, "close ");
}

}  // namespace
}  // namespace mpb
