#include "common/asio/asio_host.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "tests/support/descriptors.hpp"

namespace mpb {
namespace {

namespace asio = boost::asio;
using asio::use_awaitable;
using asio::ip::tcp;

constexpr Duration kPatience{40'000};

struct Counter final : EventHandler {
  void on_events(std::uint32_t) override { ++calls; }
  int calls = 0;
};

class AsioHostTest : public testing::Test {
 protected:
  asio::io_context& context() { return host_->context(); }
  /// Turns until `holds`; the loop wakes by itself whenever there is something to do.
  bool turns_until(const std::function<bool()>& holds) {
    const TimePoint end = Clock::now() + kPatience;
    while (!holds() && Clock::now() < end) loop_.turn(kPatience);
    return holds();
  }
  void spawn(asio::awaitable<void> what) {
    asio::co_spawn(context(), std::move(what), asio::detached);
  }

  EventLoop loop_;
  std::optional<AsioHost> host_{std::in_place, loop_};
};

asio::awaitable<void> wait_for(Duration delay, TimePoint& ended) {
  asio::steady_timer timer(co_await asio::this_coro::executor, delay);
  co_await timer.async_wait(use_awaitable);
  ended = Clock::now();
}

TEST_F(AsioHostTest, ACoroutineWaitsForATimerAndTheLoopSleepsMeanwhile) {
  const TimePoint begin = Clock::now();
  TimePoint ended{};
  spawn(wait_for(Duration{200}, ended));
  int turns = 0;
  ASSERT_TRUE(turns_until([&] { return ++turns, ended != TimePoint{}; }));
  EXPECT_GE(ended - begin, Duration{200});
  EXPECT_LT(turns, 10) << "it does not spin";
}

TEST_F(AsioHostTest, WithoutAnythingToDoTheLoopSleeps) {
  for (int i = 0; i < 3; ++i) loop_.turn(Duration{0});
  const TimePoint begin = Clock::now();
  loop_.turn(Duration{50});
  EXPECT_GE(Clock::now() - begin, Duration{50});
}

asio::awaitable<void> echo(tcp::acceptor& acceptor) {
  tcp::socket socket = co_await acceptor.async_accept(use_awaitable);
  std::array<char, 1000> bytes{};
  try {
    while (true) {
      const std::size_t size = co_await socket.async_read_some(asio::buffer(bytes), use_awaitable);
      co_await asio::async_write(socket, asio::buffer(bytes, size), use_awaitable);
    }
  } catch (const boost::system::system_error& error) {
    EXPECT_EQ(error.code(), asio::error::eof);
  }
}

asio::awaitable<void> say(tcp::endpoint where, std::string what, std::string& heard) {
  tcp::socket socket(co_await asio::this_coro::executor);
  co_await socket.async_connect(where, use_awaitable);
  std::string answer(what.size(), '\0');
  for (int round = 0; round < 50; ++round) {
    co_await asio::async_write(socket, asio::buffer(what), use_awaitable);
    std::size_t size = 0;
    while (size < answer.size()) {
      auto rest = asio::buffer(answer) + size;
      size += co_await socket.async_read_some(rest, use_awaitable);
    }
  }
  heard = answer;
}

TEST_F(AsioHostTest, AnEchoIsOneCoroutine) {
  tcp::acceptor acceptor(context(), tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  std::string heard;
  const std::string text(1000, 'x');
  spawn(echo(acceptor));
  spawn(say(acceptor.local_endpoint(), text, heard));
  EXPECT_TRUE(turns_until([&] { return heard == text; }));
}

TEST_F(AsioHostTest, ManyPostsDoNotStarveTheLoop) {
  Counter counter;
  const UniqueFd fd(::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
  auto watch = loop_.add(fd.get(), EPOLLIN, counter);
  ASSERT_TRUE(watch);
  int posted = 0;
  std::function<void()> again = [&] {
    ++posted;
    asio::post(context(), again);
  };
  asio::post(context(), again);
  int timers = 0;
  loop_.after(Duration{0}, [&] { ++timers; });
  for (int turn = 0; turn < 10; ++turn) loop_.turn(kPatience);
  EXPECT_EQ(counter.calls, 10);
  EXPECT_EQ(timers, 1);
  EXPECT_EQ(posted, 10 * AsioHost::kHandlersPerTurn);
  loop_.remove(*watch, fd.get());
}

TEST_F(AsioHostTest, TheLoopDoesNotStarveTheContext) {
  Counter counter;
  const UniqueFd fd(::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
  auto watch = loop_.add(fd.get(), EPOLLIN, counter);
  ASSERT_TRUE(watch);
  TimePoint ended{};
  spawn(wait_for(Duration{20}, ended));
  EXPECT_TRUE(turns_until([&] { return ended != TimePoint{}; }));
  loop_.remove(*watch, fd.get());
}

TEST_F(AsioHostTest, APostOfAnotherThreadWakesTheLoop) {
  for (int i = 0; i < 100; ++i) {
    bool called = false;
    std::thread other([&] { asio::post(context(), [&] { called = true; }); });
    EXPECT_TRUE(turns_until([&] { return called; })) << i;
    other.join();
  }
}

TEST_F(AsioHostTest, APostWithinATurnRunsAtItsEnd) {
  bool called = false;
  loop_.after(Duration{0}, [&] { asio::post(context(), [&] { called = true; }); });
  loop_.turn(kPatience);
  EXPECT_TRUE(called);
}

TEST_F(AsioHostTest, WhatAHandlerThrowsEndsNeitherTheLoopNorTheOthers) {
  int called = 0;
  asio::post(context(), [] { throw std::runtime_error("a fault of a handler"); });
  asio::post(context(), [&] { ++called; });
  asio::post(context(), [] { throw 5; });
  asio::post(context(), [&] { ++called; });
  EXPECT_TRUE(turns_until([&] { return called == 2; }));
}

TEST(AsioHostDeathTest, WhatAHandlerThrowsIsLogged) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // the log opens its output once
  EXPECT_EXIT(
      {
        EventLoop loop;
        AsioHost host(loop);
        asio::post(host.context(), [] { throw std::runtime_error("a fault of a handler"); });
        loop.turn(Duration{0});
        std::exit(0);
      },
      testing::ExitedWithCode(0), "event=asio.failed .*why=\"a fault of a handler\"");
}

TEST_F(AsioHostTest, AHandlerCannotStopTheContext) {
  bool called = false;
  asio::post(context(), [&] { context().stop(); });
  asio::post(context(), [&] { called = true; });
  EXPECT_TRUE(turns_until([&] { return called; }));
}

TEST_F(AsioHostTest, TheLoopStopsWithWorkOutstanding) {
  tcp::acceptor acceptor(context(), tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  TimePoint ended{};
  spawn(echo(acceptor));
  spawn(wait_for(kPatience * 10, ended));
  asio::post(context(), [this] { loop_.stop(); });
  loop_.run();
  EXPECT_EQ(ended, TimePoint{});
}

/// Tells when the coroutine that holds it is gone.
struct Held {
  explicit Held(bool& gone) : gone_(&gone) {}
  Held(Held&& other) noexcept : gone_(std::exchange(other.gone_, nullptr)) {}
  Held& operator=(Held&&) = delete;
  ~Held() {
    if (gone_ != nullptr) *gone_ = true;
  }
  bool* gone_;
};

asio::awaitable<void> hold(Held held, TimePoint& ended) {
  co_await wait_for(kPatience * 10, ended);
  static_cast<void>(held);
}

TEST_F(AsioHostTest, WhatWaitsIsDestroyedWithIt) {
  bool gone = false;
  TimePoint ended{};
  Held held(gone);
  spawn(hold(std::move(held), ended));
  loop_.turn(Duration{0});
  EXPECT_FALSE(gone);
  host_.reset();
  EXPECT_TRUE(gone);
  EXPECT_EQ(ended, TimePoint{});
  loop_.turn(Duration{0});  // the loop outlives it
}

/// The stale entry of a socket whose copy lives on would make the loop spin.
TEST_F(AsioHostTest, ASocketThatIsTakenBackLeavesNothingInTheSet) {
  std::array<int, 2> pair{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair.data()), 0);
  const UniqueFd peer(pair[1]);
  const UniqueFd copy(::dup(pair[0]));
  {
    asio::local::stream_protocol::socket socket(context(), asio::local::stream_protocol(), pair[0]);
    socket.async_wait(asio::socket_base::wait_read, [](boost::system::error_code) {});
    const UniqueFd own(socket.release());
  }
  for (int i = 0; i < 3; ++i) loop_.turn(Duration{0});
  ASSERT_EQ(::send(peer.get(), "x", 1, MSG_NOSIGNAL), 1);
  const TimePoint begin = Clock::now();
  loop_.turn(Duration{50});
  EXPECT_GE(Clock::now() - begin, Duration{50});
}

TEST_F(AsioHostTest, WithTooFewDescriptorsThereIsNoneRatherThanOneWithoutTimers) {
  host_.reset();
  for (int left = 0; left <= 2; ++left) {
    std::vector<UniqueFd> spare;
    for (int i = 0; i < left; ++i) spare.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    const test::NoMoreDescriptors none;
    spare.clear();
    EXPECT_THROW(AsioHost{loop_}, std::runtime_error) << left;
  }
}

}  // namespace
}  // namespace mpb
