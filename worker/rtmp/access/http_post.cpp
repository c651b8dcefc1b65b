#include "worker/rtmp/access/http_post.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <string_view>
#include <utility>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include "common/base/version.hpp"

namespace mpb::rtmp {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::redirect_error;
using asio::use_awaitable;
using asio::ip::tcp;
using boost::beast::tcp_stream;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kReadBuffer = 16 * 1024;  // more than the largest head Beast takes

/// Of connect: the server has no part in it.
bool is_ours(error_code error) {
  if (error.category() != boost::system::system_category()) return false;
  const int code = error.value();
  return code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM ||
         code == EADDRNOTAVAIL;
}

tcp::endpoint endpoint_of(const Endpoint& address) {
  tcp::endpoint endpoint;
  std::memcpy(endpoint.data(), address.data(), address.length);
  endpoint.resize(address.length);
  return endpoint;
}

http::request<http::string_body> request_of(const HttpPost& post) {
  http::request<http::string_body> request;
  request.method(http::verb::post);
  request.target(post.url.target);
  request.set(http::field::host, post.url.authority);
  request.set(http::field::user_agent, "mpbroker/" MPB_VERSION);
  request.set(http::field::content_type, "application/json");
  request.keep_alive(false);
  request.body() = post.json;
  request.prepare_payload();
  return request;
}

/// To one address after the other. What time is left is shared among those not tried yet.
asio::awaitable<error_code> connect(tcp_stream& stream, const std::vector<Endpoint>& addresses,
                                    Clock::time_point deadline) {
  error_code error;
  auto left = static_cast<int>(addresses.size());
  for (const Endpoint& address : addresses) {
    const Clock::time_point now = Clock::now();
    stream.expires_at(left == 1 ? deadline : now + (deadline - now) / left);
    --left;
    co_await stream.async_connect(endpoint_of(address), redirect_error(use_awaitable, error));
    if (!error) break;
    stream.close();
  }
  stream.expires_at(deadline);
  co_return error;
}

}  // namespace

asio::awaitable<HttpReply> post_http(const HttpPost& post) {
  const Clock::time_point deadline = Clock::now() + post.timeout;
  HttpReply reply;
  const auto fail = [&](std::string_view what, error_code error) {
    reply.timed_out = error == boost::beast::error::timeout;
    reply.error = reply.timed_out
                      ? fmt::format("no answer within {}", format_duration(post.timeout))
                      : fmt::format("{}: {}", what, error.message());
    reply.ours = !reply.connected && is_ours(error);
  };

  tcp_stream stream(co_await asio::this_coro::executor);
  error_code error = co_await connect(stream, post.addresses, deadline);
  if (error) {
    fail("cannot connect", error);
    co_return reply;
  }
  reply.connected = true;

  const http::request<http::string_body> request = request_of(post);
  co_await http::async_write(stream, request, redirect_error(use_awaitable, error));
  if (error) {
    fail("cannot send", error);
    co_return reply;
  }

  boost::beast::flat_buffer buffer(kReadBuffer);
  for (std::size_t interim = 0; interim <= kMaxInterimReplies; ++interim) {
    http::response_parser<http::string_body> parser;
    parser.body_limit(kMaxReplyBody);
    while (!parser.is_done()) {
      co_await http::async_read_some(stream, buffer, parser, redirect_error(use_awaitable, error));
      // The stream's own limit is only looked at where it waits.
      if (!error && Clock::now() >= deadline) error = boost::beast::error::timeout;
      if (error) {
        fail("no HTTP answer", error);
        co_return reply;
      }
    }
    const unsigned status = parser.get().result_int();
    if (status / 100 == 1) continue;  // it only announces the answer
    if (status < 100) {               // Beast takes "000"; RFC 9110, 15
      reply.error = fmt::format("no HTTP status: {:03}", status);
    } else {
      reply.status = status;
      reply.body = std::move(parser.get().body());
    }
    co_return reply;
  }
  reply.error = fmt::format("more than {} interim answers", kMaxInterimReplies);
  co_return reply;
}

}  // namespace mpb::rtmp
