#include "bench/floors/control_session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace mpb::bench {

bool Replies::add(std::string_view text) {
  if (text.size() > buffer_.size() - size_) return false;
  std::memcpy(buffer_.data() + size_, text.data(), text.size());
  size_ += text.size();
  return true;
}

ControlSession::Step ControlSession::advance(std::string_view& bytes, ServedBy self,
                                             Replies& replies) {
  while (!bytes.empty()) {
    Step step = Step::kNeedMore;
    if (stage_ == Stage::kCommand) {
      step = command(bytes, self, replies);
    } else if (stage_ == Stage::kMessage) {
      step = read_message(bytes, replies);
    }
    if (step == Step::kNeedMore && stage_ == Stage::kId && read_id(bytes)) step = Step::kOwner;
    if (step != Step::kNeedMore) return step;
  }
  return Step::kNeedMore;
}

ControlSession::Step ControlSession::command(std::string_view& bytes, ServedBy self,
                                             Replies& replies) {
  switch (bytes.front()) {
    case 'C':
      stage_ = Stage::kId;
      id_ = 0;
      id_bytes_ = 0;
      break;
    case 'M':
      stage_ = Stage::kMessage;
      message_bytes_ = 0;
      break;
    case 'W':
      if (!add_whoami(self, replies)) return Step::kRepliesFull;
      break;
    default:
      return replies.add({"error: unknown command\0", 23}) ? Step::kReject : Step::kRepliesFull;
  }
  bytes.remove_prefix(1);
  return Step::kNeedMore;
}

bool ControlSession::read_id(std::string_view& bytes) {
  while (!bytes.empty() && id_bytes_ < sizeof id_) {
    id_ |= static_cast<std::uint32_t>(static_cast<unsigned char>(bytes.front())) << 8 * id_bytes_;
    bytes.remove_prefix(1);
    ++id_bytes_;
  }
  if (id_bytes_ < sizeof id_) return false;
  stage_ = Stage::kCommand;
  has_id_ = true;
  return true;
}

ControlSession::Step ControlSession::read_message(std::string_view& bytes, Replies& replies) {
  const std::size_t nul = bytes.find('\0');
  const std::size_t used = std::min(nul, bytes.size());
  if (message_bytes_ + used > kMaxMessage) {
    return replies.add({"error: message too long\0", 24}) ? Step::kReject : Step::kRepliesFull;
  }
  if (nul == std::string_view::npos) {
    message_bytes_ = static_cast<std::uint16_t>(message_bytes_ + used);
    bytes = {};
    return Step::kNeedMore;
  }
  if (!replies.add(kGreeting)) return Step::kRepliesFull;
  stage_ = Stage::kCommand;
  bytes.remove_prefix(nul + 1);
  return Step::kNeedMore;
}

bool ControlSession::add_whoami(ServedBy self, Replies& replies) const {
  const auto id = has_id_ ? fmt::format("{}", static_cast<std::int32_t>(id_)) : std::string("-");
  const auto text = fmt::format("worker={} pid={} id={} hops={}", self.slot, self.pid, id, hops_);
  return replies.add({text.c_str(), text.size() + 1});
}

std::array<char, kHeaderBytes> ControlSession::header() const {
  return {'C', static_cast<char>(id_), static_cast<char>(id_ >> 8), static_cast<char>(id_ >> 16),
          static_cast<char>(id_ >> 24)};
}

}  // namespace mpb::bench
