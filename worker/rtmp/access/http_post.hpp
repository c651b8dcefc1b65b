// Posts documents to web servers.
#pragma once

#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include "common/base/units.hpp"
#include "common/config/http_url.hpp"
#include "common/io/endpoint.hpp"

namespace mpb::rtmp {

struct HttpPost {
  HttpUrl url;
  std::vector<Endpoint> addresses{};  // of its host, to be tried in turn: at least one
  std::string json;                   // the body
  Duration timeout{};                 // to the end of the answer, however it comes
};

struct HttpReply {
  unsigned status = 0;     // of HTTP; 0: there was no answer
  std::string body{};      // at most kMaxReplyBody bytes; of a longer one there is no answer
  std::string error{};     // why there was none
  bool timed_out = false;  // that is why
  bool connected = false;  // to one of the addresses
  bool ours = false;       // it was not sent, for want of descriptors, ports or memory here
};

inline constexpr std::size_t kMaxReplyBody = 64 * 1024;
inline constexpr std::size_t kMaxInterimReplies = 8;  // of status 1xx, before the answer

/// In the context in which it is spawned; it holds one descriptor. `post` must live until then.
/// What a server sends does not make it throw; that there is no memory may.
boost::asio::awaitable<HttpReply> post_http(const HttpPost& post);

}  // namespace mpb::rtmp
