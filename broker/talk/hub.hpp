// Where letters go, in which order, and who is told what of them. Pure: no I/O, no clock; what is
// sent is decided by whoever has the channels (broker/talk/talk.hpp).
#pragma once

#include <cstdint>
#include <string_view>
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
  [[nodiscard]] WorkerId worker(Slot slot) const { return {slot, mailboxes_[slot].generation()}; }
  /// All that are open.
  [[nodiscard]] std::vector<Slot> all() const;

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
    if (is(sender)) mailboxes_[sender.slot].give_back(amount);
  }
  [[nodiscard]] bool is(WorkerId worker) const {
    return is_open(worker.slot) && mailboxes_[worker.slot].generation() == worker.generation;
  }

  std::vector<Mailbox> mailboxes_;
  Receivers receivers_;
  std::uint64_t number_ = 0;
  Amount waiting_;  // in all mailboxes, as far as 32 bits go
  std::uint64_t lost_ = 0;
};

}  // namespace mpb
