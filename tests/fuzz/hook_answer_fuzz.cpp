// What web servers answer to hooks: any bytes are an answer, or none with a reason, within bounds.
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <boost/asio/co_spawn.hpp>

#include "common/asio/asio_host.hpp"
#include "common/base/unique_fd.hpp"
#include "common/config/http_url.hpp"
#include "common/io/endpoint.hpp"
#include "common/io/event_loop.hpp"
#include "tests/fuzz/check.hpp"
#include "worker/rtmp/access/hooks.hpp"
#include "worker/rtmp/access/http_post.hpp"

namespace {

using namespace mpb;        // NOLINT(*-build-using-namespace)
using namespace mpb::rtmp;  // NOLINT(*-build-using-namespace)

constexpr Duration kPatience{10'000};
constexpr std::string_view kDocument = "{}";

bool is_readable(int fd) {
  pollfd waiting{fd, POLLIN, 0};
  return ::poll(&waiting, 1, 0) == 1;
}

/// Answers every request with the same bytes.
class Server {
 public:
  Server()
      : listener_(listen_on(parse_endpoint("127.0.0.1:0").value(), 16).value()),
        address_(local_endpoint(listener_.get()).value()) {}

  [[nodiscard]] const Endpoint& address() const { return address_; }

  /// The loop's turns go on until the whole request is there.
  void answer(std::string_view bytes, EventLoop& loop) const {
    const TimePoint end = Clock::now() + kPatience;
    while (!is_readable(listener_.get()) && Clock::now() < end) loop.turn(Duration{1});
    const UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    MPB_FUZZ_REQUIRE(client.valid());
    // All of it: what is unread when the socket closes would reset the answer.
    std::string request;
    std::array<char, 4096> piece{};
    while (!request.ends_with(kDocument)) {
      loop.turn(Duration{0});
      const ssize_t got = ::recv(client.get(), piece.data(), piece.size(), MSG_DONTWAIT);
      if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (got <= 0) return;
      request.append(piece.data(), static_cast<std::size_t>(got));
    }
    ::send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

 private:
  UniqueFd listener_;
  Endpoint address_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Server server;
  static EventLoop loop;
  static AsioHost host(loop);
  const HttpPost post{parse_http_url("http://127.0.0.1/hook").value(),
                      {server.address()},
                      std::string(kDocument),
                      kPatience};
  std::optional<HttpReply> got;
  boost::asio::co_spawn(host.context(), post_http(post),
                        [&](const std::exception_ptr& failure, HttpReply reply) {
                          MPB_FUZZ_REQUIRE(!failure);
                          got = std::move(reply);
                        });
  server.answer({reinterpret_cast<const char*>(data), size}, loop);
  while (!got) loop.turn(kPatience);
  const HttpReply& reply = *got;
  MPB_FUZZ_REQUIRE(reply.connected && !reply.timed_out);
  MPB_FUZZ_REQUIRE(reply.body.size() <= kMaxReplyBody);
  MPB_FUZZ_REQUIRE((reply.status == 0) == !reply.error.empty());
  const HookAnswer answer = read_hook_answer(reply.status, reply.body);
  MPB_FUZZ_REQUIRE(answer != HookAnswer::kConsent || reply.status == 200);
  return 0;
}
