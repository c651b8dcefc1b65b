#include "broker/talk/mailbox.hpp"

namespace mpb {

bool Mailbox::push(WaitingLetter letter) {
  const Amount amount = letter.amount();
  if (!(amount_ + amount).within(kMostWaiting)) return false;
  const bool descriptor = letter.parcel->descriptor.valid();
  if (descriptor && descriptors_ == kMostDescriptorsWaiting) return false;
  const auto share = shares_.find(letter.sender);
  const Amount of_sender = share == shares_.end() ? amount : share->second + amount;
  if (letter.sender != kOperator && !of_sender.within(kMostWaitingOfOne)) return false;
  shares_[letter.sender] = of_sender;
  if (waiting_.empty()) moved_ = true;  // it has waited for no time
  amount_ += amount;
  descriptors_ += descriptor ? 1 : 0;
  waiting_.push_back(std::move(letter));
  return true;
}

WaitingLetter Mailbox::pop() {
  WaitingLetter letter = std::move(waiting_.front());
  waiting_.pop_front();
  moved_ = true;
  stopped_ = false;
  const Amount amount = letter.amount();
  amount_ -= amount;
  descriptors_ -= letter.parcel->descriptor.valid() ? 1 : 0;
  const auto share = shares_.find(letter.sender);
  share->second -= amount;
  if (share->second.letters == 0) shares_.erase(share);
  return letter;
}

bool Mailbox::note_stop() {
  if (!waiting_.empty() && !std::exchange(moved_, false)) stopped_ = true;
  return stopped_;
}

std::vector<std::pair<WorkerId, Amount>> Mailbox::release() {
  std::vector<std::pair<WorkerId, Amount>> released;
  for (WaitingLetter& letter : waiting_) {
    if (letter.retained == Amount{}) continue;
    released.emplace_back(letter.sender, std::exchange(letter.retained, {}));
  }
  return released;
}

bool Mailbox::spend(const Amount& amount) {
  if (!open_ || !(used_ + amount).within(kLetterWindow)) return false;
  used_ += amount;
  ++posted_lately;
  return true;
}

bool Mailbox::has_credit_to_tell() const {
  return returned_.letters >= kCreditStep.letters || returned_.bytes >= kCreditStep.bytes;
}

void Mailbox::credit_told() {
  used_ -= returned_;
  returned_ = {};
}

}  // namespace mpb
