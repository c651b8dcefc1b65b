#include "tests/integration/harness/resting.hpp"

#include "tests/integration/harness/processes.hpp"

namespace mpb::test {
namespace {

constexpr std::size_t kPerWorker = 2;  // the broker's: its end of the channel, a pidfd

std::size_t processes_of(const BrokerStatus& status) {
  return static_cast<std::size_t>(status.sum([](const WorkerStatus& w) { return w.pid > 0; })) +
         (status.zygote.pid > 0 ? 1 : 0);
}

std::string open_too(pid_t pid, std::size_t now, std::size_t expected) {
  if (now == expected) return {};
  std::string text = "process " + std::to_string(pid) + " has " + std::to_string(now) +
                     " descriptors, not " + std::to_string(expected) + ":";
  for (const std::string& name : descriptor_names_of(pid)) text += " " + name;
  return text + "\n";
}

}  // namespace

Resting::Resting(pid_t broker, const BrokerStatus& status)
    : broker_(broker),
      broker_descriptors_(descriptors_of(broker)),
      processes_(processes_of(status)),
      listeners_(status.listeners) {
  for (const WorkerStatus& worker : status.workers) {
    if (worker.pid > 0) worker_descriptors_[worker.slot] = own_descriptors_of(worker.pid, broker);
  }
}

std::string Resting::left_over(const BrokerStatus& status) const {
  std::string text;
  if (status.held() != 0) text += std::to_string(status.held()) + " clients are held\n";
  if (status.in_flight != 0) text += std::to_string(status.in_flight) + " are on their way\n";
  if (status.waiting != 0) text += std::to_string(status.waiting) + " wait\n";
  const std::size_t broker = broker_descriptors_ + kPerWorker * processes_of(status) +
                             status.listeners - kPerWorker * processes_ - listeners_;
  text += open_too(broker_, descriptors_of(broker_), broker);
  for (const auto& [slot, descriptors] : worker_descriptors_) {
    if (!status.has(slot)) continue;  // retired
    const WorkerStatus worker = status.worker(slot);
    if (worker.state == "parked") continue;
    if (worker.state != "online") {
      text += "worker " + std::to_string(slot) + " is " + worker.state + "\n";
      continue;
    }
    text += open_too(worker.pid, own_descriptors_of(worker.pid, broker_), descriptors);
  }
  for (const pid_t zombie : zombies_of(broker_)) {
    text += "process " + std::to_string(zombie) + " was not reaped\n";
  }
  return text;
}

}  // namespace mpb::test
