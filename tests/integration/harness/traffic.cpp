#include "tests/integration/harness/traffic.hpp"

#include <stdexcept>

namespace mpb::test {

Traffic::Traffic(std::uint16_t port, std::int32_t id, int lanes) : port_(port), id_(id) {
  for (int i = 0; i < lanes; ++i) lanes_.emplace_back([this] { run(); });
}

void Traffic::run() {
  while (!stopping_) {
    try {
      const pid_t server = serve_one();
      const std::lock_guard lock(mutex_);
      ++per_process_[server];
      ++served_;
    } catch (const std::exception& error) {
      const std::lock_guard lock(mutex_);
      ++failures_[error.what()];
      ++failed_;
    }
  }
}

pid_t Traffic::serve_one() const {
  Client client(port_);
  const pid_t server = client.join(id_).pid;
  const std::string answer = client.message();
  if (answer != kHello) throw std::runtime_error("no answer to a message, but: " + answer);
  const Who who = client.who();
  if (who.pid != server) throw std::runtime_error("served by another afterwards: " + who.text);
  if (who.id != std::to_string(id_)) throw std::runtime_error("another id: " + who.text);
  return server;
}

bool Traffic::await_served(std::uint64_t more) {
  const std::uint64_t goal = served_ + more;
  return eventually([&] { return served_ >= goal; });
}

void Traffic::stop() {
  stopping_ = true;
  lanes_.clear();
}

std::map<pid_t, std::uint64_t> Traffic::per_process() const {
  const std::lock_guard lock(mutex_);
  return per_process_;
}

std::string Traffic::failures() const {
  const std::lock_guard lock(mutex_);
  std::string text;
  for (const auto& [what, times] : failures_) {
    text += std::to_string(times) + " times: " + what + "\n";
  }
  return text;
}

}  // namespace mpb::test
