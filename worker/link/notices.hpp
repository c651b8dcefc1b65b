// Tells the operator of single clients: through the broker, or in the worker's own log. Counts what
// was refused.
#pragma once

#include <functional>
#include <string_view>

#include "mpbroker/notice.hpp"
#include "worker/link/notice_limit.hpp"

namespace mpb {

class Notices {
 public:
  /// Takes a notice to the broker; false: it goes to the log instead.
  using Sink = std::function<bool(const Notice&)>;
  void set_sink(Sink sink) { sink_ = std::move(sink); }

  /// `section` as NoticeLimit::admit has it. `socket`: whose peer is told when the notice has no
  /// address; -1: none. One that is held back is counted, and costs no memory.
  void tell(const Notice& notice, std::string_view section, int socket, TimePoint now);

  /// How many clients were refused, by reason; all of them, told or not.
  [[nodiscard]] const ReasonCounts& refused() const { return refused_; }

 private:
  Sink sink_;
  NoticeLimit limit_;
  ReasonCounts refused_{};
};

}  // namespace mpb
