// The operations of a SharedMap for coroutines.
#include <memory>
#include <utility>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "mpbroker/shared.hpp"

namespace mpb {
namespace {

using boost::asio::awaitable;

/// Waits for what `ask` is given a TableDone for. The coroutine goes on in its own executor, and
/// ends with that, should no result come.
template <class Ask>
awaitable<TableResult> result_of(Ask ask) {
  auto initiate = [](auto handler, Ask asks) {
    const auto kept = std::make_shared<decltype(handler)>(std::move(handler));
    asks([kept](const TableResult& result) {
      auto resumed = [kept, result] { std::move (*kept)(result); };
      boost::asio::post(boost::asio::get_associated_executor(*kept), std::move(resumed));
    });
  };
  return boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(TableResult)>(
      std::move(initiate), boost::asio::use_awaitable, std::move(ask));
}

}  // namespace

awaitable<TableResult> SharedMap::async_put(std::string key, std::string value, Ttl ttl) {
  return result_of([this, key = std::move(key), value = std::move(value), ttl](TableDone done) {
    put(key, value, ttl, std::move(done));
  });
}

awaitable<TableResult> SharedMap::async_erase(std::string key) {
  return result_of([this, key = std::move(key)](TableDone done) { erase(key, std::move(done)); });
}

awaitable<TableResult> SharedMap::async_compare_and_put(std::string key, std::string value,
                                                        std::uint64_t expected, Ttl ttl) {
  return result_of(
      [this, key = std::move(key), value = std::move(value), expected, ttl](TableDone done) {
        compare_and_put(key, value, expected, ttl, std::move(done));
      });
}

awaitable<TableResult> SharedMap::async_add(std::string key, std::int64_t amount, Ttl ttl) {
  return result_of([this, key = std::move(key), amount, ttl](TableDone done) {
    add(key, amount, ttl, std::move(done));
  });
}

}  // namespace mpb
