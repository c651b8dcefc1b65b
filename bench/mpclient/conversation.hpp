// What one client asks, in which order, and whether what it is told is right.
#pragma once

#include <cstdint>
#include <optional>

#include "bench/mpclient/answer.hpp"
#include "bench/mpclient/request.hpp"

namespace mpb::load {

/// The questions of a run.
struct Script {
  std::uint64_t messages = 0;  // M commands after the C
  bool ask_who = false;        // W behind each C, and behind the last M
};

/// Pure: no socket, no clock. One request is outstanding at a time; its commands must be answered
/// in order and once each.
class Conversation {
 public:
  enum class Reaction {
    kDispatched,   // the C is answered
    kMessage,      // an M is answered
    kTold,         // a W is answered, and who() holds it
    kBusy,         // the client is refused
    kUnexpected,   // no such answer was due
    kWrongId,      // W names another id than the C did
    kOtherWorker,  // W names another worker than before, though the client did not move
  };

  /// Begins anew, also for a client that moves to another id.
  Request begin(std::int32_t id, const Script& script);
  Reaction on_answer(const Answer& answer);
  /// The next request, or none when the conversation is over. Only when !waiting().
  std::optional<Request> next(const Script& script);
  /// One more message, whatever the script says.
  Request message();

  /// True while an answer is due.
  [[nodiscard]] bool waiting() const { return greeting_due_ || who_due_; }
  [[nodiscard]] std::int32_t id() const { return id_; }
  [[nodiscard]] const std::optional<Who>& who() const { return who_; }

 private:
  Reaction on_greeting();
  Reaction on_who(const Who& who);

  std::optional<Who> who_;
  std::uint64_t messages_left_ = 0;
  std::int32_t id_ = 0;
  bool dispatching_ = false;
  bool greeting_due_ = false;
  bool who_due_ = false;
};

}  // namespace mpb::load
