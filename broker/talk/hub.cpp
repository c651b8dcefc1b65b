#include "broker/talk/hub.hpp"

#include <algorithm>
#include <utility>

namespace mpb {

void Hub::open(WorkerId worker) {
  if (mailboxes_.size() <= worker.slot) mailboxes_.resize(worker.slot + std::size_t{1});
  close(worker.slot);
  mailboxes_[worker.slot] = Mailbox(worker.generation);
  open_.insert(std::ranges::lower_bound(open_, worker.slot), worker.slot);
}

void Hub::close(Slot slot) {
  if (!is_open(slot)) return;
  const WorkerId receiver = worker(slot);
  Mailbox gone = std::exchange(mailboxes_[slot], Mailbox());
  std::erase(open_, slot);
  while (!gone.empty()) {
    const WaitingLetter letter = gone.pop();
    settle(letter);
    lose(letter.sender, letter.letter, receiver, Loss::kGone);
  }
}

const std::vector<Slot>& Hub::take_due() {
  taken_.clear();
  std::swap(taken_, due_);
  for (const Slot slot : taken_) mailboxes_[slot].due = false;
  return taken_;
}

const Hub::Receivers& Hub::receivers(const channel::Address& to, Slot owner) {
  using Kind = channel::Address::Kind;
  receivers_.slots.clear();
  receivers_.why_none = Loss::kNoWorker;
  Slot one = kNoSlot;
  switch (to.kind) {
    case Kind::kWorker:
      if (is({to.slot, to.generation})) one = to.slot;
      break;
    case Kind::kSlot:
      one = to.slot;
      break;
    case Kind::kOwner:
      receivers_.why_none = Loss::kNoOwner;
      one = owner;
      break;
    case Kind::kAll:
    case Kind::kGroup:
      if (to.kind == Kind::kGroup) receivers_.why_none = Loss::kNobody;
      for (const Slot slot : open_) {
        if (to.kind == Kind::kGroup && !mailboxes_[slot].groups.contains(to.name)) continue;
        receivers_.slots.push_back(slot);
      }
      break;
    case Kind::kOperators:
      break;
  }
  if (is_open(one)) receivers_.slots.push_back(one);
  return receivers_;
}

std::string_view Hub::join(Slot slot, const channel::Join& message) {
  auto& groups = mailboxes_[slot].groups;
  if ((message.flags & channel::Join::kLeave) != 0) {
    const auto found = groups.find(message.group);
    if (found != groups.end()) groups.erase(found);
    return {};
  }
  if (groups.size() == Bus::kMaxGroups && !groups.contains(message.group)) return "too many groups";
  groups.emplace(message.group);
  return {};
}

bool Hub::push(Slot to, WaitingLetter letter) {
  const WorkerId sender = letter.sender;
  const std::uint64_t id = letter.letter;
  const Amount amount = letter.amount();
  if (mailboxes_[to].has_stopped()) give_back(sender, std::exchange(letter.retained, {}));
  const Amount retained = letter.retained;
  if (mailboxes_[to].push(std::move(letter))) {
    waiting_ += amount;
    touch(to);
    return true;
  }
  give_back(sender, retained);
  lose(sender, id, worker(to), Loss::kFull);
  return false;
}

void Hub::settle(const WaitingLetter& letter) {
  waiting_ -= letter.amount();
  give_back(letter.sender, letter.retained);
}

void Hub::release_stopped() {
  for (const Slot slot : open_) {
    Mailbox& box = mailboxes_[slot];
    if (!box.note_stop()) continue;
    for (const auto& [sender, amount] : box.release()) give_back(sender, amount);
  }
}

void Hub::lose(WorkerId sender, std::uint64_t letter, WorkerId receiver, Loss why) {
  if (sender == kOperator) return;
  ++lost_;
  if (!is(sender)) return;
  mailboxes_[sender.slot].lose({letter, receiver.generation, receiver.slot, why});
  touch(sender.slot);
}

}  // namespace mpb
