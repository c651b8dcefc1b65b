// The broker's status as the tests use it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

namespace mpb::test {

struct WorkerStatus {
  int slot = -1;
  pid_t pid = -1;  // -1: no process
  std::string state;
  std::string role;
  std::string key;
  std::string user;  // of its own
  bool accepts = false;
  std::int64_t restarts = 0;
  std::int64_t in_flight = 0;
  // Of a worker with a process:
  std::int64_t clients = 0;
  std::int64_t held = 0;
  std::int64_t keys = 0;
  std::int64_t accepted = 0;
  struct {
    std::int64_t out = 0, in = 0, kept = 0, nacked = 0, retried = 0;
  } handoffs;
  struct {
    std::int64_t busy = 0, input = 0, header = 0, source = 0;
  } rejected;
  struct {
    std::int64_t idle = 0, slow = 0, unsettled = 0;
  } closed;
  std::int64_t accept_pauses = 0;
  struct {
    std::int64_t broker = 0, worker = 0;
  } queue_high_water;
  std::int64_t fds = 0;
  std::int64_t rss_bytes = 0;
};

struct BrokerStatus {
  std::string state;
  std::size_t listeners = 0;
  std::vector<WorkerStatus> workers;
  struct {
    std::string state;
    pid_t pid = 0;  // 0: no process
    std::int64_t forked = 0;
  } zygote;
  std::int64_t fds = 0;
  std::int64_t rss_bytes = 0;
  std::int64_t keys = 0;
  std::int64_t waiting = 0;
  std::int64_t in_flight = 0;
  std::int64_t handoffs = 0;

  [[nodiscard]] bool has(int slot) const { return worker(slot).state != "stopped"; }
  /// With state "stopped" when the slot is not in the report.
  [[nodiscard]] WorkerStatus worker(int slot) const;
  [[nodiscard]] std::size_t count(const std::string& worker_state) const;
  /// Those of a role, in whatever state.
  [[nodiscard]] std::vector<WorkerStatus> of_role(const std::string& role) const;
  /// The sum of one counter over all workers.
  template <class Get>
  [[nodiscard]] std::int64_t sum(Get&& get) const {
    std::int64_t total = 0;
    for (const WorkerStatus& worker : workers) total += get(worker);
    return total;
  }
  [[nodiscard]] std::int64_t held() const {
    return sum([](const WorkerStatus& worker) { return worker.held; });
  }
};

/// Throws when a field is missing.
BrokerStatus read_status(const boost::json::object& report);

}  // namespace mpb::test
