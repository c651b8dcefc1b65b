#include "tests/hostile/siege.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <sstream>

#include "tests/integration/harness/processes.hpp"

namespace mpb::test {
namespace {

constexpr std::int32_t kWitnessId = 7;
constexpr int kFreshClients = 20;
constexpr Duration kNoticeable{10'000};
constexpr std::size_t kMaxResidentKiB = 64 * 1024;
constexpr std::size_t kSanitizerFactor = 16;  // shadow memory and quarantine

std::size_t peak_resident_kib(pid_t pid) {
  std::istringstream lines(read_file("/proc/" + std::to_string(pid) + "/status"));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("VmHWM:")) return std::stoul(line.substr(6));
  }
  return 0;
}

/// Without what is only open for a moment.
std::size_t settled_descriptors_of(pid_t pid) {
  std::size_t least = descriptors_of(pid);
  throughout(100ms, [&] {
    least = std::min(least, descriptors_of(pid));
    return true;
  });
  return least;
}

BrokerSetup setup_of(const SiegePlan& plan, const std::string& folder) {
  BrokerSetup setup;
  setup.held = plan.held;
  setup.arguments = {"--workers", std::to_string(plan.workers), "--worker-program",
                     program_path("hostile_worker")};
  if (plan.arguments.empty())
    setup.arguments.insert(setup.arguments.end(), {"--ping-limit", "4s", "--answer-timeout", "3s"});
  if (!plan.confined) setup.arguments.insert(setup.arguments.end(), {"--sandbox", "no"});
  if (plan.pinned) {
    for (const char* pin : {"*=0", "9=1", "10=2"}) {
      if (pin[0] == '1' && plan.workers < 3) continue;
      setup.arguments.insert(setup.arguments.end(), {"--route", pin});
    }
  }
  setup.arguments.insert(setup.arguments.end(), plan.arguments.begin(), plan.arguments.end());
  setup.environment = plan.environment;
  setup.worker_environment = {"HOSTILE_ATTACKS=" + plan.attacks, "HOSTILE_FOLDER=" + folder,
                              "HOSTILE_TIMES=" + std::to_string(plan.times)};
  setup.await_ready = false;
  return setup;
}

}  // namespace

Witness::Witness(std::uint16_t port, std::int32_t id)
    : client_(port), who_(client_.join(id)), thread_([this] { watch(); }) {}

void Witness::watch() {
  while (!stopping_ && complaint_.empty()) {
    const Stopwatch watch;
    const std::string answer = client_.message();
    slowest_ = std::max(slowest_, watch.elapsed());
    if (answer != kHello) complaint_ = "the witness was told: " + answer;
    ++answers_;
    std::this_thread::sleep_for(1ms);
  }
}

void Witness::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
  client_.close();
}

std::string Witness::complaint() const {
  if (!complaint_.empty()) return complaint_;
  if (answers_ == 0) return "the witness was never answered";
  if (slowest_ < kNoticeable) return {};
  return "the witness once waited " + std::to_string(slowest_.count()) + " ms";
}

Siege::Siege(const SiegePlan& plan)
    : broker_(std::make_unique<BrokerProcess>(setup_of(plan, folder_.path()))) {
  folder_.write("control", broker_->control_path());
  await_line_up(plan);
  witness_ = std::make_unique<Witness>(broker_->port(), kWitnessId);
  events_ = std::make_unique<EventStream>(broker_->control_path());
  broker_descriptors_ = settled_descriptors_of(broker_->pid());
  honest_descriptors_ = settled_descriptors_of(rogues_[0]);
}

/// The honest one is online; each hostile one is as far as it goes before its attack.
void Siege::await_line_up(const SiegePlan& plan) {
  const auto lined_up = [&] {
    try {
      const BrokerStatus status = broker_->status();
      rogues_.clear();
      for (int slot = 0; slot < plan.workers; ++slot) {
        rogues_.push_back(status.worker(slot).pid);
        if (slot == 0 ? status.worker(slot).state != "online" : !exists("here", slot)) return false;
      }
      return true;
    } catch (const std::exception&) {
      return false;
    }
  };
  if (!eventually(lined_up)) throw std::runtime_error("no line-up: " + broker_->log());
}

bool Siege::exists(const std::string& what, int slot) const {
  return ::access(folder_.file(what + "-" + std::to_string(slot)).c_str(), F_OK) == 0;
}

void Siege::begin() const {
  folder_.write("go", "");
  for (int slot = 1; slot < static_cast<int>(rogues_.size()); ++slot) {
    if (!eventually([&] { return exists("begun", slot); })) {
      throw std::runtime_error("the attack did not begin");
    }
  }
}

bool Siege::await_done(int slot) const {
  return eventually([&] { return exists("done", slot); });
}

std::string Siege::await_ejection(int slot) {
  const auto event = events_->await("disconnect", slot);
  return event.empty() ? std::string() : std::string(event.at("why").as_string());
}

bool Siege::await_replacement(int slot) const {
  return eventually([&] {
    const WorkerStatus worker = broker_->worker(slot);
    return worker.state == "online" && worker.pid != rogue(slot);
  });
}

void Siege::expect_served(std::int32_t id, int slot) const {
  Client client(broker_->port());
  EXPECT_EQ(client.claim(id), kHello) << "id " << id;
  EXPECT_EQ(client.who().worker, slot) << "id " << id;
}

void Siege::expect_responsive() const {
  const Stopwatch watch;
  EXPECT_NO_THROW(broker_->status());
  EXPECT_LT(watch.elapsed(), kNoticeable) << "the broker was held up";
}

void Siege::expect_descriptors_back() const {
  EXPECT_TRUE(eventually([&] { return descriptors_of(broker_->pid()) <= broker_descriptors_; }))
      << "the broker has " << descriptors_of(broker_->pid()) << " descriptors, once "
      << broker_descriptors_;
  EXPECT_TRUE(eventually([&] { return descriptors_of(rogues_[0]) <= honest_descriptors_; }))
      << "the honest worker has " << descriptors_of(rogues_[0]) << " descriptors, once "
      << honest_descriptors_;
}

void Siege::expect_unharmed() {
  ASSERT_TRUE(broker_->running()) << "the broker has ended";
  expect_responsive();
  for (int id = 100; id < 100 + kFreshClients; ++id) {
    Client client(broker_->port());
    EXPECT_EQ(client.claim(id), kHello) << "a new client of id " << id;
  }
  EXPECT_EQ(broker_->worker_pid(0), rogues_[0]) << "the honest worker is another";
  expect_descriptors_back();
  const std::size_t factor = slow_factor() > 1 ? kSanitizerFactor : 1;
  EXPECT_LT(peak_resident_kib(broker_->pid()), kMaxResidentKiB * factor);
  witness_->stop();
  EXPECT_EQ(witness_->complaint(), "");
  expect_clean_end();
}

void Siege::expect_clean_end() {
  EXPECT_TRUE(zombies_of(broker_->pid()).empty());
  broker_->signal(SIGTERM);
  EXPECT_EQ(broker_->wait_exit(), "exit 0");
  EXPECT_TRUE(eventually([&] { return broker_->processes().empty(); })) << "workers are left";
}

}  // namespace mpb::test
