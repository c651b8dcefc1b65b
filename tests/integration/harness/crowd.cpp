#include "tests/integration/harness/crowd.hpp"

#include <algorithm>
#include <set>

#include "common/process/process.hpp"
#include "tests/integration/harness/processes.hpp"

namespace mpb::test {

std::size_t descriptors_for_clients() {
  constexpr std::size_t kReserve = 200;
  return static_cast<std::size_t>(raise_descriptor_limit()) - kReserve;
}

Crowd::Crowd(std::uint16_t port, std::size_t count) : ids_(count), who_(count) {
  descriptors_for_clients();
  clients_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) clients_.emplace_back(port);
}

std::size_t Crowd::read_answers() {
  failures_.clear();
  std::size_t right = 0;
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    const std::string greeting = clients_[i].read_text();
    if (greeting != kHello) {
      ++failures_[greeting];
      who_[i] = {};
      continue;
    }
    who_[i] = clients_[i].read_who();
    if (who_[i].id == std::to_string(ids_[i])) {
      ++right;
    } else {
      ++failures_[who_[i].text];
    }
  }
  return right;
}

std::size_t Crowd::message() {
  failures_.clear();
  for (Client& client : clients_) client.send(message_bytes("all together"));
  std::size_t greeted = 0;
  for (Client& client : clients_) {
    const std::string text = client.read_text();
    if (text == kHello) {
      ++greeted;
    } else {
      ++failures_[text];
    }
  }
  return greeted;
}

std::map<int, std::size_t> Crowd::per_worker() const {
  std::map<int, std::size_t> counts;
  for (const Who& who : who_) ++counts[who.worker];
  return counts;
}

std::vector<std::int32_t> Crowd::split_ids() const {
  std::map<std::int32_t, std::set<int>> workers;
  for (std::size_t i = 0; i < who_.size(); ++i) workers[ids_[i]].insert(who_[i].worker);
  std::vector<std::int32_t> split;
  for (const auto& [id, slots] : workers) {
    if (slots.size() > 1) split.push_back(id);
  }
  return split;
}

std::string Crowd::failures() const {
  std::string text;
  for (const auto& [answer, times] : failures_) {
    text += std::to_string(times) + " times '" + answer + "'\n";
  }
  return text;
}

}  // namespace mpb::test
