#include "worker/names/resolve.hpp"

#include <memory>
#include <optional>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace mpb {
namespace {

namespace asio = boost::asio;

/// Of the coroutine alone: what the resolver calls later finds it gone when that has ended.
struct Waiting {
  explicit Waiting(const asio::any_io_executor& executor)
      : arrived(executor, asio::steady_timer::time_point::max()) {}
  std::optional<NameResolver::Found> found;
  asio::steady_timer arrived;  // never expires: it is cancelled
};

}  // namespace

asio::awaitable<NameResolver::Found> resolve(NameResolver& names, std::string name,
                                             std::uint16_t port, Duration limit) {
  if (auto known = names.find(name, port)) co_return *std::move(known);
  const auto waiting = std::make_shared<Waiting>(co_await asio::this_coro::executor);
  names.wait(name, port, limit, [place = std::weak_ptr(waiting)](const NameResolver::Found& found) {
    const auto waits = place.lock();
    if (!waits) return;
    waits->found = found;
    waits->arrived.cancel();
  });
  boost::system::error_code cancelled;
  while (!waiting->found) {
    co_await waiting->arrived.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
  }
  co_return *std::move(waiting->found);
}

}  // namespace mpb
