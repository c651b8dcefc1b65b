// One client of a run, as its thread keeps it.
#pragma once

#include <cstdint>

#include <boost/intrusive/list.hpp>

#include "bench/load/connection.hpp"
#include "bench/mpclient/answer.hpp"
#include "bench/mpclient/conversation.hpp"

namespace mpb::load {

using WitnessHook =
    boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

struct Client final : Connection, WitnessHook {
  enum class State : std::uint8_t {
    kStarting,
    kQueued,      // a unix listener's queue is full: connects again soon
    kConnecting,  // first request not sent yet
    kAsking,      // a request is on its way or waits for its answer
    kPausing,     // between two messages of a paced run
    kHeld,        // idle until the run goes on
    kLingering,   // done, and connected a while longer as a witness of its id's owner
  };

  TimePoint asked;  // when the request was sent
  Conversation conversation;
  std::uint16_t bytes_sent = 0;  // of the request
  Request request = Request::kDispatch;
  State state = State::kStarting;
  bool told = false;    // its W is answered
  bool joined = false;  // counts in the owner table
  bool moving = false;  // its C is its second one
  AnswerReader reader;

  /// As another client, from its start.
  void renew() {
    bytes_sent = 0;
    state = State::kStarting;
    told = joined = moving = false;
    reader.reset();
  }
  /// Before its last answer, or before its next rest.
  [[nodiscard]] bool on_its_way() const {
    return state != State::kPausing && state != State::kHeld && state != State::kLingering;
  }
};

}  // namespace mpb::load
