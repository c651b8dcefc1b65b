#include "tests/support/rtmp_session.hpp"

#include <random>
#include <utility>

#include "proto/rtmp/chunk.hpp"
#include "proto/rtmp/command.hpp"
#include "proto/rtmp/handshake.hpp"

namespace mpb::test {

void RtmpSession::feed(std::string_view segment) {
  pending_ += segment;
  while (!ended_ && !pending_.empty()) {
    Verdict verdict = classifier_.go_on(pending_, so_far_);
    if (verdict.kind == Verdict::Kind::kNeedMore) return;
    pending_.erase(0, verdict.consumed);
    ended_ = verdict.kind != Verdict::Kind::kReply;
    verdicts_.push_back(std::move(verdict));
  }
}

std::vector<std::string> RtmpSession::told() const {
  std::vector<std::string> told;
  for (const Verdict& verdict : verdicts_) {
    const bool random = verdict.kind == Verdict::Kind::kReply;
    std::string one = "kind " + std::to_string(static_cast<int>(verdict.kind));
    one += ", consumed " + std::to_string(verdict.consumed);
    one += ", key " + verdict.key + ", state " + verdict.state + ", reply ";
    one += random ? std::to_string(verdict.reply.size()) : verdict.reply;
    told.push_back(std::move(one));
  }
  return told;
}

std::string rtmp_hello() {
  std::mt19937_64 random(1);
  return rtmp::make_hello(rtmp::HandshakeScheme::kSimple, random);
}

std::string rtmp_c2() {
  return std::string(rtmp::kHandshakeBlock, '2');
}

std::string rejected_description(std::string_view reply) {
  rtmp::ChunkReader reader(64 * 1024);
  rtmp::Message message;
  if (reader.read(reply, message) != rtmp::ChunkReader::Result::kMessage) return {};
  const auto command = rtmp::read_command(message);
  if (!command || command->name != "_error" || command->arguments.size() != 2) return {};
  const amf0::Object* info = command->arguments[1].object();
  if (info == nullptr || amf0::text(*info, "code") != "NetConnection.Connect.Rejected") return {};
  return std::string(amf0::text(*info, "description"));
}

}  // namespace mpb::test
