// A worker whose service is a coroutine for each client.
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "mpbroker/asio.hpp"
#include "tests/support/lone_worker.hpp"

namespace mpb {
namespace {

namespace asio = boost::asio;
using asio::use_awaitable;
using test::LoneWorker;

class AsioServiceTest : public testing::Test {
 protected:
  void serve(std::function<asio::awaitable<void>(AsioClient)> what) {
    add_service(registry_, {"any", [](auto) { return Verdict{Verdict::Kind::kLocal}; }, what});
    worker_ = std::make_unique<LoneWorker>(registry_, "any");
  }

  Registry registry_;
  std::unique_ptr<LoneWorker> worker_;
};

/// Counts the coroutines that hold one.
class Held {
 public:
  explicit Held(int& count) : count_(&count) { ++count; }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  ~Held() { --*count_; }

 private:
  int* count_;
};

asio::awaitable<void> echo(AsioClient client) {
  std::array<char, 1000> bytes{};
  while (true) {
    const auto size = co_await client.stream.async_read_some(asio::buffer(bytes), use_awaitable);
    co_await asio::async_write(client.stream, asio::buffer(bytes, size), use_awaitable);
  }
}

TEST_F(AsioServiceTest, WhatCameAlongIsReadFirst) {
  serve(echo);
  const UniqueFd client = worker_->deliver("a", "first ");
  worker_->say(client, "second");
  EXPECT_EQ(worker_->hear(client, 12), "first second");
}

asio::awaitable<void> greet(AsioClient client) {
  const std::string text = client.key + " " + std::to_string(client.stream.peer().empty());
  co_await asio::async_write(client.stream, asio::buffer(text), use_awaitable);
}

TEST_F(AsioServiceTest, ASilentClientIsServedAndEndsWithItsCoroutine) {
  serve(greet);
  const UniqueFd client = worker_->deliver("room");
  EXPECT_EQ(worker_->hear(client, 100), "room 0");
}

std::string numbers(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += std::to_string(i) + "\n";
  return text;
}

TEST_F(AsioServiceTest, AClientThatSendsMoreThanIsReadWaits) {
  std::optional<AsioClient> kept;
  serve([&kept](AsioClient client) -> asio::awaitable<void> {
    kept.emplace(std::move(client));
    co_return;
  });
  const UniqueFd client = worker_->deliver("a");
  ASSERT_TRUE(worker_->turns_until([&] { return kept.has_value(); }));
  const std::string all = numbers(1'000'000);
  std::size_t sent = 0;
  const auto send = [&] {
    const ssize_t count =
        ::send(client.get(), all.data() + sent, all.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count > 0) sent += static_cast<std::size_t>(count);
    return count > 0;
  };
  int idle = 0;
  worker_->turns_until([&] { return (idle = send() ? 0 : idle + 1) == 5; });
  EXPECT_LT(sent, all.size()) << "the kernel's buffers are full";
  std::string got;
  std::array<char, 10'000> bytes{};
  std::function<void()> read = [&] {
    kept->stream.async_read_some(asio::buffer(bytes), [&](auto error, std::size_t size) {
      ASSERT_FALSE(error);
      got.append(bytes.data(), size);
      if (got.size() < all.size()) read();
    });
  };
  read();
  EXPECT_TRUE(worker_->turns_until([&] {
    send();
    return got.size() == all.size();
  }));
  EXPECT_TRUE(got == all);
  kept.reset();
  EXPECT_TRUE(worker_->sees_end(client));
}

TEST_F(AsioServiceTest, AWriteWaitsForItsClient) {
  const std::string all = numbers(1'000'000);
  bool written = false;
  serve([&](AsioClient client) -> asio::awaitable<void> {
    co_await asio::async_write(client.stream, asio::buffer(all), use_awaitable);
    written = true;
  });
  const UniqueFd client = worker_->deliver("a");
  for (int i = 0; i < 20; ++i) worker_->loop().turn(Duration{1});
  EXPECT_FALSE(written);
  EXPECT_TRUE(worker_->hear(client, all.size()) == all);
  EXPECT_TRUE(written);
}

asio::awaitable<void> sum_up(AsioClient client) {
  std::string all;
  boost::system::error_code error;
  co_await asio::async_read(client.stream, asio::dynamic_buffer(all),
                            asio::redirect_error(use_awaitable, error));
  asio::steady_timer timer(co_await asio::this_coro::executor, Duration{20});
  co_await timer.async_wait(use_awaitable);
  const std::string text =
      std::to_string(all.size()) + " " + std::to_string(error == asio::error::eof);
  co_await asio::async_write(client.stream, asio::buffer(text), use_awaitable);
}

TEST_F(AsioServiceTest, AClientThatSendsNoMoreIsAnswered) {
  serve(sum_up);
  const UniqueFd client = worker_->deliver("a");
  const std::string much(500'000, 'x');
  std::size_t sent = 0;
  ASSERT_TRUE(worker_->turns_until([&] {
    const ssize_t count =
        ::send(client.get(), much.data(), much.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count > 0) sent += static_cast<std::size_t>(count);
    return sent == much.size();
  }));
  ::shutdown(client.get(), SHUT_WR);
  EXPECT_EQ(worker_->hear(client, 100), "500000 1");
}

void reset(UniqueFd client) {
  const linger at_once{1, 0};
  ::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

TEST_F(AsioServiceTest, WhateverACoroutineWaitsForIsCancelledWhenItsClientIsGone) {
  int held = 0;
  const auto wait = [&](AsioClient client) -> asio::awaitable<void> {
    const Held here(held);
    asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::hours(1));
    if (client.key == "timer") co_await timer.async_wait(use_awaitable);
    co_await echo(std::move(client));
  };
  serve(wait);
  for (const char* what : {"timer", "read"}) {
    UniqueFd client = worker_->deliver(what);
    ASSERT_TRUE(worker_->turns_until([&] { return held == 1; }));
    reset(std::move(client));
    EXPECT_TRUE(worker_->turns_until([&] { return held == 0; })) << what;
  }
}

TEST_F(AsioServiceTest, AReadCanBeGivenUp) {
  using namespace asio::experimental::awaitable_operators;
  serve([](AsioClient client) -> asio::awaitable<void> {
    std::array<char, 10> bytes{};
    asio::steady_timer timer(co_await asio::this_coro::executor, Duration{20});
    const auto first =
        co_await (client.stream.async_read_some(asio::buffer(bytes), use_awaitable) ||
                  timer.async_wait(use_awaitable));
    client.stream.write(first.index() == 1 ? "late" : "in time");
    const auto size = co_await client.stream.async_read_some(asio::buffer(bytes), use_awaitable);
    co_await asio::async_write(client.stream, asio::buffer(bytes, size), use_awaitable);
  });
  const UniqueFd client = worker_->deliver("a");
  EXPECT_EQ(worker_->hear(client, 4), "late");
  worker_->say(client, "hello");
  EXPECT_EQ(worker_->hear(client, 100), "hello");
}

asio::awaitable<void> fail_at_bad_ones(AsioClient client) {
  if (client.key == "bad") throw std::runtime_error("a fault of the service");
  co_await echo(std::move(client));
}

TEST_F(AsioServiceTest, AnExceptionEndsItsClientOnly) {
  serve(fail_at_bad_ones);
  const UniqueFd good = worker_->deliver("good");
  const UniqueFd bad = worker_->deliver("bad");
  EXPECT_TRUE(worker_->sees_end(bad));
  worker_->say(good, "hello");
  EXPECT_EQ(worker_->hear(good, 5), "hello");
}

using AsioServiceDeathTest = AsioServiceTest;

TEST_F(AsioServiceDeathTest, AnExceptionIsLogged) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // the log opens its output once
  EXPECT_EXIT(
      {
        serve(fail_at_bad_ones);
        const UniqueFd bad = worker_->deliver("bad");
        worker_->sees_end(bad);
        std::exit(0);
      },
      testing::ExitedWithCode(0), "event=coroutine.failed key=bad .*\"a fault of the service\"");
}

TEST_F(AsioServiceTest, CoroutinesEndWithTheirWorker) {
  int held = 0;
  serve([&](AsioClient client) -> asio::awaitable<void> {
    const Held here(held);
    co_await echo(std::move(client));
  });
  const UniqueFd first = worker_->deliver("a");
  const UniqueFd second = worker_->deliver("b", "hello");
  EXPECT_EQ(worker_->hear(second, 5), "hello");
  EXPECT_EQ(held, 2);
  worker_.reset();
  EXPECT_EQ(held, 0);
}

TEST_F(AsioServiceTest, AStreamThatOutlivesItsClientFails) {
  std::optional<AsioClient> kept;
  serve([&kept](AsioClient client) -> asio::awaitable<void> {
    kept.emplace(std::move(client));
    co_return;
  });
  UniqueFd client = worker_->deliver("a");
  ASSERT_TRUE(worker_->turns_until([&] { return kept.has_value(); }));
  reset(std::move(client));
  EXPECT_TRUE(worker_->turns_until([&] { return kept->stream.peer().empty(); }));
  EXPECT_FALSE(kept->stream.write("hello"));
  std::optional<boost::system::error_code> failure;
  kept->stream.async_write_some(asio::buffer("x", 1),
                                [&](auto error, std::size_t) { failure = error; });
  EXPECT_FALSE(failure) << "not within the call";
  EXPECT_TRUE(worker_->turns_until([&] { return failure.has_value(); }));
  EXPECT_EQ(*failure, asio::error::broken_pipe);
  kept.reset();
}

}  // namespace
}  // namespace mpb
