#include "broker/talk/hub.hpp"

#include <utility>

namespace mpb {

void Hub::open(WorkerId worker) {
  if (mailboxes_.size() <= worker.slot) mailboxes_.resize(worker.slot + std::size_t{1});
  mailboxes_[worker.slot] = Mailbox(worker.generation);
}

void Hub::close(Slot slot) {
  if (!is_open(slot)) return;
  const WorkerId receiver = worker(slot);
  Mailbox gone = std::exchange(mailboxes_[slot], Mailbox());
  while (!gone.empty()) {
    const WaitingLetter letter = gone.pop();
    settle(letter);
    lose(letter.sender, letter.letter, receiver, Loss::kGone);
  }
}

std::vector<Slot> Hub::all() const {
  std::vector<Slot> slots;
  for (std::size_t slot = 0; slot < mailboxes_.size(); ++slot) {
    if (mailboxes_[slot].is_open()) slots.push_back(static_cast<Slot>(slot));
  }
  return slots;
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
      for (std::size_t slot = 0; slot < mailboxes_.size(); ++slot) {
        const Mailbox& box = mailboxes_[slot];
        if (!box.is_open() || (to.kind == Kind::kGroup && !box.groups.contains(to.name))) continue;
        receivers_.slots.push_back(static_cast<Slot>(slot));
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
  for (Mailbox& box : mailboxes_) {
    if (!box.is_open() || !box.note_stop()) continue;
    for (const auto& [sender, amount] : box.release()) give_back(sender, amount);
  }
}

void Hub::lose(WorkerId sender, std::uint64_t letter, WorkerId receiver, Loss why) {
  if (sender == kOperator) return;
  ++lost_;
  if (!is(sender)) return;
  mailboxes_[sender.slot].lose({letter, receiver.generation, receiver.slot, why});
}

}  // namespace mpb
