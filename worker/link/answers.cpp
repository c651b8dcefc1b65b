#include "worker/link/answers.hpp"

#include <string_view>
#include <utility>

#include "proto/channel/encode.hpp"
#include "proto/channel/message.hpp"

namespace mpb {
namespace {

constexpr std::size_t kPiecesPerTurn = 8;

}  // namespace

void Answers::add(std::uint64_t nonce, AnswerContent content) {
  pending_.push_back({nonce, std::move(content)});
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
  std::string_view rest = std::string_view(answer.content.records).substr(answer.sent);
  channel::Answer piece{answer.nonce, 0, answer.content.totals, channel::take_record_batch(rest)};
  answer.sent += piece.records.size();
  const bool last = rest.empty();
  if (last) piece.flags |= channel::Answer::kLast;
  if (answer.content.unknown) piece.flags |= channel::Answer::kUnknown;
  datagram_.clear();
  channel::encode(datagram_, piece);
  // A channel that does not take it tells of its end itself.
  (void)channel_.send(datagram_, -1, Order::kFree);
  if (last) pending_.pop_front();
}

}  // namespace mpb
