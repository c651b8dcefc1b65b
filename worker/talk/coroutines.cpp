// The Bus for coroutines.
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "mpbroker/asio.hpp"

namespace mpb {
namespace {

/// Shared with the callback, which may come when the coroutine has ended.
template <class T>
struct Awaited {
  explicit Awaited(const boost::asio::any_io_executor& executor)
      : come(executor, boost::asio::steady_timer::time_point::max()) {}
  boost::asio::steady_timer come;
  std::optional<T> value;
};

template <class T>
using Done = std::function<void(const T&)>;

/// `start` gives the letter its callback; a value: there is nothing to wait for.
template <class T>
boost::asio::awaitable<T> await(std::function<std::optional<T>(Done<T>)> start) {
  const auto executor = co_await boost::asio::this_coro::executor;
  const auto awaited = std::make_shared<Awaited<T>>(executor);
  Done<T> done = [awaited](const T& value) {
    awaited->value = value;
    awaited->come.cancel();
  };
  auto at_once = start(std::move(done));
  if (at_once) co_return *std::move(at_once);
  boost::system::error_code woken;
  while (!awaited->value && !woken) {
    co_await awaited->come.async_wait(
        boost::asio::redirect_error(boost::asio::use_awaitable, woken));
  }
  if (!awaited->value) throw boost::system::system_error(boost::asio::error::operation_aborted);
  co_return *std::move(awaited->value);
}

}  // namespace

boost::asio::awaitable<Reply> request(Bus& bus, To to, std::string topic, std::string payload,
                                      Bus::Time timeout) {
  std::function<std::optional<Reply>(Done<Reply>)> start = [&](Done<Reply> done) {
    const bool sent = bool(bus.request(to, topic, payload, timeout, std::move(done)));
    return sent ? std::optional<Reply>() : Reply{Loss::kFull};
  };
  co_return co_await await<Reply>(std::move(start));
}

boost::asio::awaitable<Gathered> gather(Bus& bus, std::string topic, std::string payload,
                                        Bus::Time timeout) {
  std::function<std::optional<Gathered>(Done<Gathered>)> start = [&](Done<Gathered> done) {
    bus.gather(topic, payload, timeout, std::move(done));
    return std::optional<Gathered>();
  };
  co_return co_await await<Gathered>(std::move(start));
}

boost::asio::awaitable<Ring> ring(Bus& bus, std::string topic, std::string payload,
                                  Bus::Time timeout) {
  std::function<std::optional<Ring>(Done<Ring>)> start = [&](Done<Ring> done) {
    bus.ring(topic, payload, timeout, std::move(done));
    return std::optional<Ring>();
  };
  co_return co_await await<Ring>(std::move(start));
}

}  // namespace mpb
