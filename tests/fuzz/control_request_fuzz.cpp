// The control socket: any line is a request within its bounds, or an error that says something, and
// every answer is one line of JSON.
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <boost/json/parse.hpp>

#include "broker/operator/control_connection.hpp"
#include "broker/operator/control_request.hpp"
#include "broker/workers/vhost_set.hpp"
#include "common/config/option_values.hpp"
#include "proto/channel/message.hpp"
#include "tests/fuzz/check.hpp"

namespace {

using namespace mpb;  // NOLINT(*-build-using-namespace)

void check(const QuestionRequest& question) {
  MPB_FUZZ_REQUIRE(question.argument.size() <= channel::kMaxArgument);
}
void check(const DrainRequest& drain) {
  MPB_FUZZ_REQUIRE(drain.slot < kMaxWorkers);
}
void check(const PinRequest& route) {
  MPB_FUZZ_REQUIRE(!route.pin.key.empty() && route.pin.key.size() <= channel::kMaxKey);
  for (const std::uint16_t slot : route.pin.slots) MPB_FUZZ_REQUIRE(slot < kMaxWorkers);
}
void check(const WorkersRequest& workers) {
  MPB_FUZZ_REQUIRE(workers.count > 0 && workers.count <= kMaxWorkers);
}
void check(const VhostRequest& request) {
  static VhostSet vhosts;
  const Settings settings;
  const auto change = request.remove
                          ? vhosts.remove(request.name, settings)
                          : vhosts.change(request.name, request.set, request.unset, settings);
  MPB_FUZZ_REQUIRE(change || !change.error().text.empty());
}
template <class Request>
void check(const Request&) {}

void on_request(const boost::json::object& object, const ControlReply& reply) {
  const auto request = read_control_request(object);
  if (!request) {
    MPB_FUZZ_REQUIRE(!request.error().text.empty());
    return reply({{"ok", false}, {"error", request.error().text}});
  }
  std::visit([](const auto& one) { check(one); }, *request);
  reply({{"ok", true}, {"asked", object}});
}

void check_answers(std::string_view lines) {
  while (!lines.empty()) {
    const auto end = lines.find('\n');
    MPB_FUZZ_REQUIRE(end != std::string_view::npos);
    boost::json::error_code error;
    const auto answer = boost::json::parse(lines.substr(0, end), error);
    MPB_FUZZ_REQUIRE(!error && answer.is_object() && answer.get_object().contains("ok"));
    lines.remove_prefix(end + 1);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::array<int, 2> ends{};
  MPB_FUZZ_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
  UniqueFd operators_end(ends[0]);
  EventLoop loop;

  const ControlLimits limits;
  const OnRequest request_handler = on_request;
  bool closed = false;
  const auto connection = std::make_shared<ControlConnection>(
      loop, request_handler, limits, UniqueFd(ends[1]), [&](const auto&) { closed = true; });
  MPB_FUZZ_REQUIRE(connection->start());
  MPB_FUZZ_REQUIRE(::send(operators_end.get(), data, size, MSG_DONTWAIT | MSG_NOSIGNAL) ==
                   static_cast<ssize_t>(size));
  ::shutdown(operators_end.get(), SHUT_WR);
  std::string answers;
  std::array<char, 64 * 1024> piece{};
  while (true) {
    const ssize_t got = ::recv(operators_end.get(), piece.data(), piece.size(), MSG_DONTWAIT);
    if (got == 0) break;
    if (got > 0) {
      answers.append(piece.data(), static_cast<std::size_t>(got));
    } else if (connection->subscribed()) {
      break;  // it is told of events until it goes
    } else {
      loop.turn(Duration{0});
    }
  }
  connection->shut();
  check_answers(answers);
  return 0;
}
