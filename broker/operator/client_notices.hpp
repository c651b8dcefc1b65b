// Tells the operator what workers say of single clients. Workers keep a rate by themselves; one
// that does not has its lines dropped here, and nobody else's.
#pragma once

#include <vector>

#include "broker/dispatch/worker_table.hpp"
#include "broker/operator/event_log.hpp"
#include "common/io/rate_bucket.hpp"
#include "mpbroker/notice.hpp"

namespace mpb {

class ClientNotices {
 public:
  explicit ClientNotices(EventLog& events) : events_(events) {}

  /// Every line names the worker that said it.
  void tell(Slot slot, const Notice& notice, TimePoint now);

 private:
  EventLog& events_;
  std::vector<RateBucket> rates_;  // by slot
};

}  // namespace mpb
