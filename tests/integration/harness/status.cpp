#include "tests/integration/harness/status.hpp"

#include <algorithm>
#include <iterator>

#include <boost/json/array.hpp>

namespace mpb::test {
namespace {

using boost::json::object;

std::int64_t number(const object& from, std::string_view name) {
  return from.at(name).to_number<std::int64_t>();
}

WorkerStatus read_worker(const object& report) {
  WorkerStatus worker;
  worker.slot = static_cast<int>(number(report, "slot"));
  worker.state = report.at("state").as_string();
  worker.role = report.at("role").as_string();
  worker.key = report.at("key").as_string();
  worker.user = report.at("user").as_string();
  worker.accepts = report.at("accepts").as_bool();
  worker.restarts = number(report, "restarts");
  worker.in_flight = number(report, "in_flight");
  if (!report.contains("pid")) return worker;
  worker.pid = static_cast<pid_t>(number(report, "pid"));
  worker.clients = number(report, "clients");
  worker.held = number(report, "held");
  worker.keys = number(report, "keys");
  worker.accepted = number(report, "accepted");
  const object& handoffs = report.at("handoffs").as_object();
  worker.handoffs = {number(handoffs, "out"), number(handoffs, "in"), number(handoffs, "kept"),
                     number(handoffs, "nacked"), number(handoffs, "retried")};
  const object& rejected = report.at("rejected").as_object();
  worker.rejected = {number(rejected, "busy"), number(rejected, "input"),
                     number(rejected, "header"), number(rejected, "source")};
  const object& closed = report.at("closed").as_object();
  worker.closed = {number(closed, "idle"), number(closed, "slow"), number(closed, "unsettled")};
  worker.accept_pauses = number(report, "accept_pauses");
  const object& queue = report.at("queue_high_water").as_object();
  worker.queue_high_water = {number(queue, "broker"), number(queue, "worker")};
  worker.fds = number(report, "fds");
  worker.rss_bytes = number(report, "rss_bytes");
  return worker;
}

}  // namespace

WorkerStatus BrokerStatus::worker(int slot) const {
  for (const WorkerStatus& worker : workers) {
    if (worker.slot == slot) return worker;
  }
  WorkerStatus none;
  none.slot = slot;
  none.state = "stopped";
  return none;
}

std::vector<WorkerStatus> BrokerStatus::of_role(const std::string& role) const {
  std::vector<WorkerStatus> found;
  std::ranges::copy_if(workers, std::back_inserter(found),
                       [&](const WorkerStatus& worker) { return worker.role == role; });
  return found;
}

std::size_t BrokerStatus::count(const std::string& worker_state) const {
  return static_cast<std::size_t>(
      std::count_if(workers.begin(), workers.end(),
                    [&](const WorkerStatus& worker) { return worker.state == worker_state; }));
}

BrokerStatus read_status(const object& report) {
  BrokerStatus status;
  status.state = report.at("state").as_string();
  status.listeners = report.at("listeners").as_array().size();
  for (const auto& worker : report.at("workers").as_array()) {
    status.workers.push_back(read_worker(worker.as_object()));
  }
  const object& zygote = report.at("zygote").as_object();
  status.zygote.state = zygote.at("state").as_string();
  status.zygote.pid = static_cast<pid_t>(number(zygote, "pid"));
  const object& broker = report.at("broker").as_object();
  status.zygote.forked = number(broker, "forked");
  status.fds = number(broker, "fds");
  status.rss_bytes = number(broker, "rss_bytes");
  status.keys = number(broker, "keys");
  status.waiting = number(broker, "waiting");
  status.in_flight = number(broker, "in_flight");
  status.handoffs = number(broker, "handoffs");
  return status;
}

}  // namespace mpb::test
