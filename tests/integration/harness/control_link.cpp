#include "tests/integration/harness/control_link.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <stdexcept>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "common/io/endpoint.hpp"

namespace mpb::test {

ControlLink::ControlLink(const std::string& path)
    : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const Endpoint endpoint = parse_endpoint("unix:" + path).value();
  if (::connect(fd_.get(), endpoint.data(), endpoint.length) != 0) {
    throw std::runtime_error(system_error("connect to " + path).text);
  }
}

void ControlLink::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

std::string ControlLink::read_line(Duration limit) {
  const auto end = std::chrono::steady_clock::now() + scaled(limit);
  while (true) {
    const auto newline = received_.find('\n');
    if (newline != std::string::npos) {
      std::string line = received_.substr(0, newline);
      received_.erase(0, newline + 1);
      return line;
    }
    const auto left = std::chrono::ceil<Duration>(end - std::chrono::steady_clock::now());
    pollfd entry{fd_.get(), POLLIN, 0};
    if (left.count() <= 0 || ::poll(&entry, 1, static_cast<int>(left.count())) <= 0) return {};
    std::array<char, 16384> buffer{};
    const ssize_t count = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (count <= 0) return {};
    received_.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

boost::json::object ControlLink::request(const boost::json::object& request) {
  send(boost::json::serialize(request) + "\n");
  const std::string line = read_line();
  if (line.empty()) throw std::runtime_error("the control socket gave no answer");
  return boost::json::parse(line).as_object();
}

boost::json::object ControlLink::ask(std::string_view command) {
  return request({{"command", command}});
}

EventStream::EventStream(const std::string& path) : link_(path) {
  const auto answer = link_.ask("events");
  if (!answer.at("ok").as_bool()) throw std::runtime_error("events were refused");
}

boost::json::object EventStream::await(std::string_view name, int slot, Duration limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (true) {
    const auto left = std::chrono::ceil<Duration>(end - std::chrono::steady_clock::now());
    const std::string line = left.count() > 0 ? link_.read_line(left) : std::string();
    if (line.empty()) return {};
    boost::json::object event = boost::json::parse(line).as_object();
    seen_.emplace_back(event.at("event").as_string());
    if (seen_.back() != name) continue;
    if (slot < 0 || event.at("slot").to_number<int>() == slot) return event;
  }
}

}  // namespace mpb::test
