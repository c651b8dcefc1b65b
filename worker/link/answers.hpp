// Sends the answers to the broker's Queries in pieces, some in each turn: what else the worker has
// to say must not wait behind a long answer.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "common/answers/record.hpp"
#include "common/io/channel.hpp"
#include "common/io/event_loop.hpp"

namespace mpb {

class Answers {
 public:
  Answers(EventLoop& loop, Channel& channel) : loop_(loop), channel_(channel) {}

  void add(std::uint64_t nonce, AnswerContent content);
  /// Nobody waits for them any more.
  void forget() { pending_.clear(); }
  /// At the end of a turn: sends what the broker has room for; the rest follows in later turns.
  void pump();

 private:
  struct Pending {
    std::uint64_t nonce = 0;
    AnswerContent content;
    std::size_t sent = 0;  // of the records, in bytes
  };
  void send_piece();

  EventLoop& loop_;
  Channel& channel_;
  std::deque<Pending> pending_;
  std::string datagram_;
};

}  // namespace mpb
