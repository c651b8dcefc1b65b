#include "worker/link/answers.hpp"

#include <string_view>
#include <utility>

#include "common/log/log.hpp"
#include "proto/channel/encode.hpp"
#include "proto/channel/message.hpp"

namespace mpb {
namespace {

constexpr std::size_t kPiecesPerTurn = 8;

}  // namespace

void Answers::add(std::uint64_t nonce, std::string text) {
  if (text.size() > channel::kMaxAnswer) {
    log_warning("answer.too_long")("bytes", text.size())("limit", channel::kMaxAnswer);
    text = R"({"error":"the answer is too long"})";
  }
  pending_.push_back({nonce, std::move(text)});
}

void Answers::pump() {
  // A queue that is not empty wakes the loop when the broker has read.
  for (std::size_t i = 0; i < kPiecesPerTurn && !pending_.empty(); ++i) {
    if (!channel_.is_open()) return pending_.clear();
    if (channel_.backed_up()) return;
    send_piece();
  }
  if (!pending_.empty()) loop_.skip_wait();
}

void Answers::send_piece() {
  Pending& answer = pending_.front();
  const auto piece = std::string_view(answer.text).substr(answer.sent, channel::kMaxAnswerPiece);
  answer.sent += piece.size();
  const bool last = answer.sent == answer.text.size();
  datagram_.clear();
  channel::encode(
      datagram_,
      channel::Answer{answer.nonce, last ? channel::Answer::kLast : std::uint16_t{0}, piece});
  // A channel that does not take it tells of its end itself.
  (void)channel_.send(datagram_, -1, Order::kFree);
  if (last) pending_.pop_front();
}

}  // namespace mpb
