// Posts documents to web servers, in a thread of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/units.hpp"
#include "common/config/http_url.hpp"
#include "common/io/endpoint.hpp"

namespace mpb::rtmp {

struct HttpPost {
  std::uint64_t ticket = 0;  // comes back in the reply; the caller's own number
  HttpUrl url;
  std::vector<Endpoint> addresses;  // of its host, to be tried in turn
  std::string json;                 // the body
  Duration timeout{};               // from post() to the end of the answer, however it comes
};

struct HttpReply {
  std::uint64_t ticket = 0;
  unsigned status = 0;     // of HTTP; 0: there was no answer
  std::string body;        // at most kMaxReplyBody bytes; of a longer one there is no answer
  std::string error;       // why there was none
  bool timed_out = false;  // that is why
  bool connected = false;  // to one of the addresses
  bool ours = false;       // it was not sent, for want of descriptors, ports or memory here
};

inline constexpr std::size_t kMaxReplyBody = 64 * 1024;
inline constexpr std::size_t kMaxInterimReplies = 8;  // of status 1xx, before the answer

/// All members are for one thread, which need not have an Asio context.
class HttpPoster {
 public:
  /// Starts the thread. Throws std::runtime_error (or what derives from it) when the system has no
  /// thread or descriptor for it.
  HttpPoster();
  /// Abandons what is under way. Never waits for a server.
  ~HttpPoster();
  HttpPoster(const HttpPoster&) = delete;
  HttpPoster& operator=(const HttpPoster&) = delete;

  /// Every post gets exactly one reply. The caller bounds how many are without one: each has a
  /// descriptor.
  void post(HttpPost post);

  /// Readable (poll(2)) while there are replies to take.
  [[nodiscard]] int descriptor() const;
  std::vector<HttpReply> take_replies();

 private:
  class Engine;
  class Exchange;

  std::unique_ptr<Engine> engine_;
};

}  // namespace mpb::rtmp
