// A broker with an honest worker in slot 0 and hostile ones beside it, and what must hold whatever
// they do.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/harness/broker_process.hpp"

namespace mpb::test {

/// A client of the honest worker that is served all the time: it must never notice anything.
class Witness {
 public:
  Witness(std::uint16_t port, std::int32_t id);
  Witness(const Witness&) = delete;
  Witness& operator=(const Witness&) = delete;
  ~Witness() { stop(); }

  void stop();
  /// After stop(). Empty: all is well; else what went wrong.
  [[nodiscard]] std::string complaint() const;
  [[nodiscard]] const Who& served_by() const { return who_; }

 private:
  void watch();

  Client client_;
  Who who_;
  std::string complaint_;
  std::size_t answers_ = 0;
  Duration slowest_{0};
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

struct SiegePlan {
  std::string attacks;  // "SLOT=ATTACK[,...]"
  int times = 1;        // processes of a slot that attack before mpworker returns
  std::vector<std::string> arguments = {};  // of mpbroker; else --ping-limit 4s
  bool pinned = true;                       // every key but 9 (slot 1) and 10 (slot 2) is slot 0's
  int workers = 2;
  std::vector<std::string> environment = {};  // "NAME=value", of the broker
  bool confined = true;                       // the workers, by the sandbox
  bool held = false;                          // by mpguard
};

class Siege {
 public:
  /// The honest worker is online and serves the witness; the hostile ones wait.
  explicit Siege(const SiegePlan& plan);

  /// Returns when all attacks have begun.
  void begin() const;
  /// Waits until the attack of a slot is over, which needs the worker to survive it.
  [[nodiscard]] bool await_done(int slot = 1) const;
  /// Waits until the worker is ejected, and tells why.
  std::string await_ejection(int slot = 1);
  /// Waits until a worker of another process is online in the slot.
  [[nodiscard]] bool await_replacement(int slot = 1) const;
  /// The hostile process of the slot, as it was at the start.
  [[nodiscard]] pid_t rogue(int slot = 1) const {
    return rogues_.at(static_cast<std::size_t>(slot));
  }

  /// The broker lives, answers, leaks nothing and is small; the witness noticed nothing; new
  /// clients are served; SIGTERM ends everything. The last call.
  void expect_unharmed();
  /// A client says an id and is greeted by this slot.
  void expect_served(std::int32_t id, int slot) const;

  BrokerProcess& broker() { return *broker_; }
  /// Where attacks and test tell each other how far they are; "control" has the control socket's
  /// path.
  [[nodiscard]] const TempFolder& folder() const { return folder_; }
  EventStream& events() { return *events_; }

 private:
  [[nodiscard]] bool exists(const std::string& what, int slot) const;
  void await_line_up(const SiegePlan& plan);
  void expect_responsive() const;
  void expect_descriptors_back() const;
  void expect_clean_end();

  TempFolder folder_;
  std::unique_ptr<BrokerProcess> broker_;
  std::unique_ptr<Witness> witness_;
  std::unique_ptr<EventStream> events_;
  std::vector<pid_t> rogues_;
  std::size_t broker_descriptors_ = 0;
  std::size_t honest_descriptors_ = 0;
};

}  // namespace mpb::test
