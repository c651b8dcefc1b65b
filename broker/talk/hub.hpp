// Where letters go, in which order, and who is told what of them. Pure: no I/O, no clock; what is
// sent is decided by whoever has the channels (broker/talk/talk.hpp).
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "broker/talk/mailbox.hpp"

namespace mpb {

class Hub {
 public:
  /// The worker is ready: it may post, and letters may come to it.
  void open(WorkerId worker);
  /// Its process is gone: what waited for it is lost, and its senders are to be told so.
  void close(Slot slot);
  [[nodiscard]] bool is_open(Slot slot) const {
    return slot < mailboxes_.size() && mailboxes_[slot].is_open();
  }
  /// Of a slot that is open.
  [[nodiscard]] Mailbox& mailbox(Slot slot) { return mailboxes_[slot]; }
  [[nodiscard]] const Mailbox& mailbox(Slot slot) const { return mailboxes_[slot]; }
  [[nodiscard]] WorkerId worker(Slot slot) const { return {slot, mailboxes_[slot].generation()}; }
  /// All that are open, until one opens or closes.
  [[nodiscard]] const std::vector<Slot>& all() const { return open_; }
  /// Something is to be sent to its worker, or to be tried again.
  void touch(Slot slot) {
    if (!std::exchange(mailboxes_[slot].due, true)) due_.push_back(slot);
  }
  [[nodiscard]] bool has_due() const { return !due_.empty(); }
  /// The slots that were touched since the last call, until the next one; some may be closed.
  const std::vector<Slot>& take_due();

  struct Receivers {
    std::vector<Slot> slots;
    Loss why_none = Loss::kNone;
  };
  /// Until the next call. `owner`: of the key that the address names, if it does; kNoSlot: nobody.
  /// Not of an operator's address.
  const Receivers& receivers(const channel::Address& to, Slot owner);
  /// The place of the next letter to many in their order.
  std::uint64_t next_number() { return ++number_; }
  /// Places begin behind this one.
  void begin_after(std::uint64_t number) { number_ = number; }

  /// Why the worker must be ejected; empty: it need not.
  std::string_view join(Slot slot, const channel::Join& message);

  /// Lets it wait for `to`; false: too much does, and the letter is lost.
  bool push(Slot to, WaitingLetter letter);
  /// It was sent to whom it waited for.
  void sent(Slot to) { settle(mailboxes_[to].pop()); }
  /// Credit for what it posted.
  void give_back(Slot slot, const Amount& amount) {
    mailboxes_[slot].give_back(amount);
    if (mailboxes_[slot].has_credit_to_tell()) touch(slot);
  }
  /// What its sender retains it gets back.
  void settle(const WaitingLetter& letter);
  /// Called at intervals. What waits for a worker that has read none of its letters since the last
  /// time holds up its senders no more: they get their credit back, and keep it for what they post
  /// to it.
  void release_stopped();
  /// The sender is to be told that its letter does not arrive at `receiver`.
  void lose(WorkerId sender, std::uint64_t letter, WorkerId receiver, Loss why);

  [[nodiscard]] Amount waiting() const { return waiting_; }
  [[nodiscard]] std::uint64_t lost() const { return lost_; }

 private:
  void give_back(WorkerId sender, const Amount& amount) {
    if (is(sender)) give_back(sender.slot, amount);
  }
  [[nodiscard]] bool is(WorkerId worker) const {
    return is_open(worker.slot) && mailboxes_[worker.slot].generation() == worker.generation;
  }

  std::vector<Mailbox> mailboxes_;
  std::vector<Slot> open_;   // in their order
  std::vector<Slot> due_;    // see touch()
  std::vector<Slot> taken_;  // of these
  Receivers receivers_;
  std::uint64_t number_ = 0;
  Amount waiting_;  // in all mailboxes, as far as 32 bits go
  std::uint64_t lost_ = 0;
};

}  // namespace mpb
