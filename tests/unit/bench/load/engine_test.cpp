#include "bench/load/engine.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <new>
#include <thread>
#include <vector>

#include "bench/load/conductor.hpp"
#include "common/io/endpoint.hpp"

namespace mpb::load {
namespace {

using namespace std::chrono_literals;

Pace clients(std::uint64_t total) {
  Pace pace;
  pace.total = total;
  return pace;
}

TEST(Pace, NumbersAreDueAtTheirRateUntilTheEnd) {
  Pace pace = clients(100);
  pace.next = 10;
  pace.first = 10;
  pace.rate = 4;
  pace.origin = TimePoint(1s);
  EXPECT_EQ(pace.intended(10), TimePoint(1s));
  EXPECT_EQ(pace.intended(13), TimePoint(1750ms));
  pace.end = TimePoint(1750ms);
  pace.next = 12;
  EXPECT_TRUE(pace.has_more());
  pace.next = 13;
  EXPECT_FALSE(pace.has_more());
  pace.rate = 0;
  EXPECT_TRUE(pace.has_more()) << "the end is that of a rate";
  pace.next = 100;
  EXPECT_FALSE(pace.has_more());
}

TargetSettings to(const Endpoint& target) {
  TargetSettings settings;
  settings.target = target;
  return settings;
}

/// Its clients say a byte and wait for another.
class Waiters : public Engine {
 public:
  using Engine::Engine;

  int answered = 0;
  int expired = 0;
  std::vector<TimePoint> refused;

 protected:
  void start(std::uint64_t number, TimePoint begun) override {
    auto made = std::make_unique<Connection>();
    Connection& connection = *made;
    connection.number = number;
    connection.begun = begun;
    if (!open(std::move(made))) return;
    if (const int code = connect(connection); code != 0) return on_error(connection, code);
    // Over loopback the connection stands by then, or is refused.
    if (::send(connection.fd, "?", 1, MSG_NOSIGNAL) < 0) return on_error(connection, errno);
    watch(connection, EPOLLIN);
    on_begun(connection);
  }
  virtual void on_begun(Connection& /*connection*/) {}
  void on_events(Connection& connection, std::uint32_t /*events*/) override {
    ++answered;
    end(connection);
  }
  void on_due(Connection& connection) override {
    ++expired;
    end(connection);
  }
  void on_error(Connection& connection, int /*code*/) override {
    refused.push_back(Clock::now());
    pause_starts();
    end(connection);
  }
  [[nodiscard]] bool has_room() const override { return true; }
  [[nodiscard]] bool settled() const override { return false; }
  void obey(Order order) override {
    if (order < Order::kAbort) return;
    for_each([this](Connection& connection) { end(connection); });
  }
};

class EngineTest : public testing::Test {
 protected:
  UniqueFd listener_ = *listen_on(parse_endpoint("127.0.0.1:0").value(), 64);
  Endpoint address_ = local_endpoint(listener_.get()).value();
  RunState state_;
};

constexpr int kClients = 20;

/// When the last has begun, all are late: the first has something to send, the others have their
/// answers and no time left.
class LateWaiters final : public Waiters {
 public:
  LateWaiters(const Endpoint& server, int listener, RunState& run)
      : Waiters(to(server), run, clients(kClients)), listener_(listener) {}

  int answered_before_due = -1;

 private:
  void on_begun(Connection& connection) override {
    served_.emplace_back(::accept(listener_, nullptr, nullptr));
    if (connection.number + 1 < kClients) return;
    for_each([this](Connection& each) {
      if (each.number == 0) return set_due(each, Clock::now());
      set_limit(each, Clock::now());
      ASSERT_EQ(::send(served_[each.number].get(), "!", 1, MSG_NOSIGNAL), 1);
      pollfd arrived{each.fd, POLLIN, 0};
      ASSERT_EQ(::poll(&arrived, 1, -1), 1);
    });
  }
  void on_due(Connection& connection) override {
    if (connection.number != 0) return Waiters::on_due(connection);
    answered_before_due = answered;
    end(connection);
  }

  int listener_;
  std::vector<UniqueFd> served_;
};

TEST_F(EngineTest, WhatHasComeIsReadBeforeALimitAndWhatIsDueDoesNotWaitForAllOfIt) {
  LateWaiters waiters(address_, listener_.get(), state_);
  waiters.run();
  EXPECT_EQ(waiters.answered, kClients - 1);
  EXPECT_EQ(waiters.expired, 0);
  EXPECT_LT(waiters.answered_before_due, kClients - 1);
  EXPECT_EQ(waiters.failure(), nullptr);
}

TEST_F(EngineTest, ADeadPortIsAskedNowAndThenWhateverTheRate) {
  listener_.reset();
  Pace pace = clients(3);
  pace.rate = 1e6;
  Waiters waiters(to(address_), state_, pace);
  waiters.run();
  ASSERT_EQ(waiters.refused.size(), 3U);
  EXPECT_GE(waiters.refused[2] - waiters.refused[0], 20ms);
}

class Thrower final : public Waiters {
 public:
  using Waiters::Waiters;

 private:
  void on_begun(Connection& /*connection*/) override { throw std::bad_alloc(); }
};

TEST_F(EngineTest, WhatOneThrowsEndsTheOthersAndIsThrownByTheConductor) {
  // A thread of its own, since a conductor takes signals from its.
  std::jthread([this] {
    Conductor conductor({});
    Waiters patient(to(address_), conductor.state(), clients(1));
    Thrower thrower(to(address_), conductor.state(), clients(1));
    EXPECT_THROW(conductor.run({&patient, &thrower}), std::bad_alloc);
    EXPECT_EQ(patient.answered + patient.expired, 0);
  });
}

}  // namespace
}  // namespace mpb::load
