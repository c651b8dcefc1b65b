#include "worker/echo_handler.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <iterator>

#include "mpbroker/worker.hpp"
#include "proto/control/classifier.hpp"
#include "proto/control/control.hpp"

namespace mpb {
namespace {

constexpr std::size_t kOutputBurst = 64 * 1024;  // then the client has to read first

}  // namespace

ControlEcho::ControlEcho() : pid_(::getpid()) {}

void ControlEcho::append_who(const Client& client, std::string& out) const {
  fmt::format_to(std::back_inserter(out), "worker={} pid={} id={} hops={}", client.slot, pid_,
                 client.key.empty() ? "-" : client.key, client.hops);
  out += '\0';
}

Step ControlEcho::on_bytes(Client& client, std::string_view bytes, std::string& out) {
  using Kind = control::Command::Kind;
  Step step;
  while (out.size() < kOutputBurst) {
    const std::size_t seen = step.consumed == 0 ? client.seen : 0;
    const control::Command command = control::first_command(bytes.substr(step.consumed), seen);
    switch (command.kind) {
      case Kind::kIncomplete:
        return step;
      case Kind::kClaim:
        step.key = control::key_of(command.id);
        if (step.key != client.key) {
          step.next = Step::Next::kMove;
          return step;
        }
        out += control::kGreeting;
        break;
      case Kind::kMessage:
        out += control::kGreeting;
        break;
      case Kind::kWho:
        append_who(client, out);
        break;
      case Kind::kUnknown:
        out += control::kUnknownCommand;
        step.next = Step::Next::kReject;
        return step;
      case Kind::kOverlong:
        out += control::kMessageTooLong;
        step.next = Step::Next::kReject;
        return step;
    }
    step.consumed += command.size;
  }
  step.next = Step::Next::kYield;
  return step;
}

Step PingEcho::on_bytes(Client&, std::string_view bytes, std::string& out) {
  out += control::kGreeting;
  return {Step::Next::kContinue, bytes.size()};
}

void add_echo(Registry& registry) {
  registry.add_protocol("control", "echo",
                        [](auto&, auto&) { return std::make_unique<ControlClassifier>(); });
  registry.add_handler("control", "echo",
                       [](auto&, auto&) { return std::make_unique<ControlEcho>(); });
  registry.add_protocol("ping", "echo",
                        [](auto&, auto&) { return std::make_unique<PingClassifier>(); });
  registry.add_handler("ping", "echo", [](auto&, auto&) { return std::make_unique<PingEcho>(); });
}

}  // namespace mpb
