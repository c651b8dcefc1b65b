// A real mpbroker with its workers, for one test.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/integration/harness/child_process.hpp"
#include "tests/integration/harness/client.hpp"
#include "tests/integration/harness/control_link.hpp"
#include "tests/integration/harness/resting.hpp"
#include "tests/integration/harness/status.hpp"

namespace mpb::test {

struct BrokerSetup {
  std::vector<std::string> arguments;           // besides the address and the control socket
  std::string config;                           // text of a --config file; PORT stands for the port
  std::vector<std::string> environment;         // "NAME=value", of the broker
  std::vector<std::string> worker_environment;  // "NAME=value", of the workers
  std::optional<rlim_t> descriptors;
  std::vector<int> inherited;         // see ProgramStart
  std::function<void()> before_exec;  // see ProgramStart
  // The port for PORT and clients; unset: a free one, given as --listen unless config is set.
  std::optional<std::uint16_t> port;
  bool held = false;        // by mpguard
  bool await_ready = true;  // until all base workers are online; then it is at rest, see below
};

class BrokerProcess {
 public:
  explicit BrokerProcess(std::vector<std::string> arguments = {});
  explicit BrokerProcess(BrokerSetup setup);
  BrokerProcess(const BrokerProcess&) = delete;
  BrokerProcess& operator=(const BrokerProcess&) = delete;
  /// Ends the broker and every worker it ever had, whatever has become of them. Before, if it was
  /// seen at rest and runs still: fails the test when a client, a descriptor or a zombie is left.
  ~BrokerProcess();

  /// All base workers are online and nobody is connected: remembers what is open.
  void remember_rest();
  /// The test leaves something on purpose.
  void forget_rest() { rest_.reset(); }

  /// Of the program that was started: mpbroker, or mpguard.
  [[nodiscard]] pid_t pid() const { return child_->pid(); }
  /// Of mpbroker, as it says itself.
  [[nodiscard]] pid_t broker_pid() const;
  /// Kills the mpbroker that mpguard runs, and gives its process id.
  pid_t kill_broker() const;
  /// Waits until another one than `before` serves, and all its base workers are online.
  bool await_next_broker(pid_t before) const;
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string control_path() const { return folder_.file("control.sock"); }
  [[nodiscard]] const TempFolder& folder() const { return folder_; }
  /// What broker and workers wrote to standard error.
  [[nodiscard]] std::string log() const;

  [[nodiscard]] BrokerStatus status() const;
  [[nodiscard]] WorkerStatus worker(int slot) const { return status().worker(slot); }
  [[nodiscard]] pid_t worker_pid(int slot) const { return worker(slot).pid; }
  boost::json::object request(const boost::json::object& request) const;

  void signal(int number) const { child_->signal(number); }
  std::string wait_exit(Duration limit = kPatience) { return child_->wait_exit(limit); }
  bool running() { return child_->running(); }
  /// Replaces the --config file.
  void write_config(const std::string& text) const;

  /// Waits until as many workers are in this state.
  bool await_workers(std::size_t count, const std::string& state = "online",
                     Duration limit = kPatience) const;
  /// Waits until the workers hold as many clients.
  bool await_held(std::int64_t count, Duration limit = kPatience) const;
  /// The broker's workers, living or not yet reaped, as the kernel sees them.
  [[nodiscard]] std::vector<pid_t> processes() const;

  /// How many descriptors each process has open, once that has not changed for a moment: the
  /// control connection of an earlier request may still be about to be closed.
  [[nodiscard]] std::map<pid_t, std::size_t> fd_counts() const;
  /// Waits until the counts are these again.
  bool await_fd_counts(const std::map<pid_t, std::size_t>& counts) const;

 private:
  [[nodiscard]] std::map<pid_t, std::size_t> count_fds() const;
  void expect_rest();
  void start(const BrokerSetup& setup);
  [[nodiscard]] bool ready(bool single_process) const;
  bool await_start(const BrokerSetup& setup);
  [[nodiscard]] std::string marker() const { return "MPB_TEST_BROKER=" + folder_.path(); }

  TempFolder folder_;
  std::uint16_t port_ = 0;
  std::unique_ptr<ChildProcess> child_;
  bool single_process_ = false;
  bool held_ = false;
  std::optional<Resting> rest_;
};

/// Makes orphaned workers children of this process, and starts a guardian that ends all of them
/// should this process be killed. Once, before the first test.
void prepare_test_process();

}  // namespace mpb::test
