#include "proto/control/classifier.hpp"

#include "proto/control/control.hpp"

namespace mpb {

Verdict ControlClassifier::classify(std::string_view bytes, Classification& so_far) const {
  using Kind = control::Command::Kind;
  const control::Command command = control::first_command(bytes, so_far.seen);
  switch (command.kind) {
    case Kind::kClaim:
      return {Verdict::Kind::kRoute, {}, 0, control::key_of(command.id)};
    case Kind::kMessage:
    case Kind::kWho:
      return {Verdict::Kind::kLocal};
    case Kind::kUnknown:
      return {Verdict::Kind::kReject, control::kUnknownCommand};
    case Kind::kOverlong:
      return {Verdict::Kind::kReject, control::kMessageTooLong};
    case Kind::kIncomplete:
      break;
  }
  return {Verdict::Kind::kNeedMore};
}

std::string_view ControlClassifier::busy_reply() const {
  return control::kBusy;
}

Verdict PingClassifier::classify(std::string_view bytes, Classification&) const {
  return {bytes.empty() ? Verdict::Kind::kNeedMore : Verdict::Kind::kLocal};
}

std::string_view PingClassifier::busy_reply() const {
  return control::kBusy;
}

}  // namespace mpb
