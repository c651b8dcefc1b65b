// What web servers answer to hooks: any bytes are an answer, or none with a reason, within bounds.
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/unique_fd.hpp"
#include "common/config/http_url.hpp"
#include "common/io/endpoint.hpp"
#include "tests/fuzz/check.hpp"
#include "worker/rtmp/access/hooks.hpp"
#include "worker/rtmp/access/http_poster.hpp"

namespace {

using namespace mpb;        // NOLINT(*-build-using-namespace)
using namespace mpb::rtmp;  // NOLINT(*-build-using-namespace)

constexpr Duration kPatience{10'000};
constexpr std::string_view kDocument = "{}";

/// libFuzzer's own alarm interrupts the wait.
bool is_readable_in(int fd, Duration patience) {
  pollfd waiting{fd, POLLIN, 0};
  int ready = -1;
  do {
    ready = ::poll(&waiting, 1, static_cast<int>(patience.count()));
  } while (ready < 0 && errno == EINTR);
  return ready == 1;
}

/// Answers every request with the same bytes.
class Server {
 public:
  Server()
      : listener_(listen_on(parse_endpoint("127.0.0.1:0").value(), 16).value()),
        address_(local_endpoint(listener_.get()).value()) {}

  [[nodiscard]] const Endpoint& address() const { return address_; }

  void answer(std::string_view bytes) const {
    MPB_FUZZ_REQUIRE(is_readable_in(listener_.get(), kPatience));
    const UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    MPB_FUZZ_REQUIRE(client.valid());
    // All of it: what is unread when the socket closes would reset the answer.
    std::string request;
    std::array<char, 4096> piece{};
    while (!request.ends_with(kDocument)) {
      const ssize_t got = ::recv(client.get(), piece.data(), piece.size(), 0);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return;
      request.append(piece.data(), static_cast<std::size_t>(got));
    }
    ::send(client.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

 private:
  UniqueFd listener_;
  Endpoint address_;
};

HttpReply await_reply(HttpPoster& poster) {
  while (true) {
    MPB_FUZZ_REQUIRE(is_readable_in(poster.descriptor(), 2 * kPatience));
    auto replies = poster.take_replies();
    MPB_FUZZ_REQUIRE(replies.size() <= 1);
    if (!replies.empty()) return std::move(replies.front());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Server server;
  static HttpPoster poster;
  static std::uint64_t ticket = 0;
  const HttpUrl url = parse_http_url("http://127.0.0.1/hook").value();
  poster.post({++ticket, url, {server.address()}, std::string(kDocument), kPatience});
  server.answer({reinterpret_cast<const char*>(data), size});
  const HttpReply reply = await_reply(poster);
  MPB_FUZZ_REQUIRE(reply.ticket == ticket && reply.connected && !reply.timed_out);
  MPB_FUZZ_REQUIRE(reply.body.size() <= kMaxReplyBody);
  MPB_FUZZ_REQUIRE((reply.status == 0) == !reply.error.empty());
  const HookAnswer answer = read_hook_answer(reply.status, reply.body);
  MPB_FUZZ_REQUIRE(answer != HookAnswer::kConsent || reply.status == 200);
  return 0;
}
