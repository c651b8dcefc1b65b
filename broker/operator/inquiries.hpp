// Puts the operator's questions to the workers, one question at a time, so that what answers may
// cost does not grow with the number of operators.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "broker/operator/inquiry.hpp"
#include "common/io/event_loop.hpp"

namespace mpb {

class Inquiries {
 public:
  /// Sends the question to all workers, and tells the inquiry whose answer to expect and whose to
  /// give up.
  using Ask = std::function<void(const channel::Query&, Inquiry&)>;
  using Done = std::function<void(boost::json::object report)>;

  /// `first_nonce` differs from those of the broker before this one. `limit`: for the answers of
  /// all workers to one question.
  Inquiries(EventLoop& loop, std::uint64_t first_nonce, Ask ask, Duration limit);
  Inquiries(const Inquiries&) = delete;
  Inquiries& operator=(const Inquiries&) = delete;
  ~Inquiries();

  /// From the next question on.
  void set_limit(Duration limit) { limit_ = limit; }

  /// Calls `done` with the report, perhaps at once: when all have come or at the limit, which
  /// counts from when the workers are asked. False: too many questions wait already.
  bool ask(std::string question, std::string argument, Done done);

  void on_answer(Slot slot, const channel::Answer& piece);
  /// The worker's process is gone.
  void on_gone(Slot slot);

 private:
  struct Pending {
    std::string question;
    std::string argument;
    Done done;
  };
  struct Current {
    std::uint64_t nonce = 0;
    Done done;
    std::unique_ptr<Inquiry> inquiry;
    EventLoop::TimerId timer{};
  };

  void ask_next();
  void begin(Pending pending);
  void finish();

  EventLoop& loop_;
  std::uint64_t nonce_;
  Ask ask_;
  Duration limit_;
  std::deque<Pending> pending_;
  std::optional<Current> current_;
};

}  // namespace mpb
