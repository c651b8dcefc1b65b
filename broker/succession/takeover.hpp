// The time from a broker's start until all workers that it has taken over have reported: what they
// own is theirs again, and when the last has reported their origins are told what became of the
// clients that were on their way.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/dispatch/cell_set.hpp"
#include "broker/dispatch/dispatcher.hpp"
#include "broker/dispatch/resync.hpp"
#include "broker/dispatch/router.hpp"
#include "broker/dispatch/worker_table.hpp"
#include "broker/workers/supervisor.hpp"
#include "common/io/event_loop.hpp"
#include "proto/channel/message.hpp"

namespace mpb {

class Takeover {
 public:
  struct Parts {
    EventLoop& loop;
    WorkerTable& workers;
    CellSet& cells;
    Router& router;
    Dispatcher& dispatcher;
    Supervisor& supervisor;
  };
  /// `done` is called once, when it is over.
  Takeover(const Parts& parts, std::function<void()> done)
      : parts_(parts), done_(std::move(done)) {}
  Takeover(const Takeover&) = delete;
  Takeover& operator=(const Takeover&) = delete;

  void begin(const Seal& seal, std::uint32_t handoff_window);
  /// The worker lives: it was asked for its report.
  void expect(Slot slot);
  /// One cannot report any more, nor say whether it has read what was sent to it.
  void lose() { resync_->lose(); }
  /// All were named. Over at once, if nobody is expected.
  void look();

  /// New offers cannot be decided yet.
  [[nodiscard]] bool under_way() const { return resync_.has_value(); }
  /// Why the worker must be ejected; empty: it need not.
  std::string_view on_report(Slot slot, const channel::ResyncReport& report);
  void on_gone(Slot slot);

 private:
  std::string_view take_keys(Slot slot, std::string_view keys);
  void finish();

  Parts parts_;
  std::function<void()> done_;
  std::optional<Resync> resync_;
  std::map<Slot, bool> resumed_;            // whether it drains
  std::map<Slot, std::string> not_theirs_;  // keys, as a Disown has them
};

}  // namespace mpb
