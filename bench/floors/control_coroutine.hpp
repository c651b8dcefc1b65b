// The control protocol as a coroutine over any of Boost.Asio's streams: what rows x and y of
// bench/run serve. A client stays where it is, whichever id it names.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "bench/floors/control_session.hpp"

namespace mpb::bench {

/// Part of what a waiting client costs: a request is a few bytes, longer ones take several reads.
inline constexpr std::size_t kCoroutineReadBytes = 256;

/// Takes what `bytes` has and returns the answers; false in `open` when the client must go.
inline std::string answer(ControlSession& session, std::string_view bytes, ServedBy self,
                          bool& open) {
  static Replies replies;  // of whichever client is answered: there is one thread
  std::string answers;
  replies.clear();
  for (;;) {
    const auto step = session.advance(bytes, self, replies);
    if (step == ControlSession::Step::kOwner && replies.add(kGreeting)) continue;
    answers += replies.bytes();
    replies.clear();
    if (step == ControlSession::Step::kOwner) replies.add(kGreeting);
    open = step != ControlSession::Step::kReject;
    if (!open || step == ControlSession::Step::kNeedMore) return answers;
  }
}

/// Serves one client to its end, which is an exception unless we end it.
template <class Stream>
boost::asio::awaitable<void> serve_control(Stream& stream, ServedBy self, std::uint8_t hops) {
  ControlSession session(hops);
  std::array<char, kCoroutineReadBytes> bytes;  // NOLINT(*-member-init): read before it is used
  for (bool open = true; open;) {
    const std::size_t size =
        co_await stream.async_read_some(boost::asio::buffer(bytes), boost::asio::use_awaitable);
    const std::string answers = answer(session, {bytes.data(), size}, self, open);
    co_await boost::asio::async_write(stream, boost::asio::buffer(answers),
                                      boost::asio::use_awaitable);
  }
}

}  // namespace mpb::bench
