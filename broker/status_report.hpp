// The answer to `mpctl status`: docs/operations.md describes every field.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>

#include <boost/json/object.hpp>

#include "broker/broker.hpp"

namespace mpb {

class StatusReport {
 public:
  explicit StatusReport(const Broker& broker) : broker_(broker) {}
  /// From the workers' last Pong: see Supervisor::refresh_counters.
  [[nodiscard]] boost::json::object build() const;

 private:
  [[nodiscard]] boost::json::object worker(Slot slot) const;
  [[nodiscard]] boost::json::object listener(const ListenerSet::Listener& listener,
                                             const ListenerCounters& sum) const;
  /// Over all running workers, by the listener's number.
  [[nodiscard]] std::map<std::uint64_t, ListenerCounters> sums() const;
  [[nodiscard]] boost::json::object worker_listener(const ListenerCounters& counters) const;
  [[nodiscard]] SlotCounters slot_counters(Slot slot) const;
  [[nodiscard]] std::string_view state(Slot slot) const;
  [[nodiscard]] std::string_view role(Slot slot) const;
  /// What there is of cells, and the keys that back off.
  [[nodiscard]] boost::json::object cells() const;
  [[nodiscard]] boost::json::object zygote() const;
  [[nodiscard]] boost::json::object dispatch() const;
  [[nodiscard]] boost::json::object totals() const;

  const Broker& broker_;
};

}  // namespace mpb
