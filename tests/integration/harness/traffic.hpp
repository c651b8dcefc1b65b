// Clients that come and go all the time, while a test does something else.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/harness/client.hpp"

namespace mpb::test {

class Traffic {
 public:
  /// Until destroyed, `lanes` threads connect one client after the other: each claims `id`, sends a
  /// message, asks who serves it, and leaves. Start programs before: a fork wants no threads.
  Traffic(std::uint16_t port, std::int32_t id, int lanes);
  Traffic(const Traffic&) = delete;
  Traffic& operator=(const Traffic&) = delete;
  ~Traffic() { stop(); }

  /// Waits until as many more have been served.
  bool await_served(std::uint64_t more);
  /// Ends it, and waits for its last clients.
  void stop();

  [[nodiscard]] std::uint64_t served() const { return served_; }
  [[nodiscard]] std::uint64_t failed() const { return failed_; }
  /// How many clients each process served.
  [[nodiscard]] std::map<pid_t, std::uint64_t> per_process() const;
  /// What clients met that were not served, and how often.
  [[nodiscard]] std::string failures() const;

 private:
  void run();
  /// Who served it; throws std::runtime_error when it was not served to its end.
  pid_t serve_one() const;

  const std::uint16_t port_;
  const std::int32_t id_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> served_{0};
  std::atomic<std::uint64_t> failed_{0};
  mutable std::mutex mutex_;  // for the two below
  std::map<pid_t, std::uint64_t> per_process_;
  std::map<std::string, int> failures_;
  std::vector<std::jthread> lanes_;
};

}  // namespace mpb::test
