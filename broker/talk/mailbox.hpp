// The letters of one worker: what waits for it, what it may still post, and what it is to be told
// of what it has posted. All of it is bounded. Pure: no I/O, no clock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/dispatch/worker_table.hpp"
#include "common/io/foreign_descriptor.hpp"
#include "proto/channel/message.hpp"

namespace mpb {

/// Letters and their bytes.
struct Amount {
  std::uint32_t letters = 0;
  std::uint32_t bytes = 0;

  Amount& operator+=(const Amount& other) {
    letters += other.letters;
    bytes += other.bytes;
    return *this;
  }
  Amount& operator-=(const Amount& other) {
    letters -= other.letters;
    bytes -= other.bytes;
    return *this;
  }
  [[nodiscard]] bool within(const Amount& most) const {
    return letters <= most.letters && bytes <= most.bytes;
  }
  friend Amount operator+(Amount a, const Amount& b) { return a += b; }
  friend bool operator==(const Amount&, const Amount&) = default;
};

/// What a worker may have posted without having been given credit for it again.
inline constexpr Amount kLetterWindow{channel::kWindowLetters, channel::kWindowBytes};
/// What may wait for one worker: of all senders, and of each of them, so that it has room for
/// others.
inline constexpr Amount kMostWaiting{4096, 1024 * 1024};
inline constexpr Amount kMostWaitingOfOne{channel::kShareLetters, channel::kShareBytes};
inline constexpr std::size_t kMostDescriptorsWaiting = 64;
/// Credit is given in steps of at least so much: one datagram for many letters, and enough of them
/// to a sender to one receiver, who has no more under way than that one's share.
inline constexpr Amount kCreditStep{kMostWaitingOfOne.letters / 2, kMostWaitingOfOne.bytes / 2};

/// A whole datagram with its descriptor: the receivers of a letter to many share it.
struct Parcel {
  std::string datagram;
  UniqueFd descriptor;

  Parcel(std::string_view bytes, UniqueFd fd) : datagram(bytes), descriptor(std::move(fd)) {}
  Parcel(const Parcel&) = delete;
  Parcel& operator=(const Parcel&) = delete;
  ~Parcel() { close_foreign(std::move(descriptor)); }
};

struct WaitingLetter {
  std::shared_ptr<const Parcel> parcel;
  WorkerId sender;           // kOperator: an Event as well
  std::uint64_t letter = 0;  // the sender's id of it
  Amount retained;           // the sender gets it back when the letter has gone

  [[nodiscard]] Amount amount() const {
    return {1, static_cast<std::uint32_t>(parcel->datagram.size())};
  }
};

class Mailbox {
 public:
  Mailbox() = default;
  explicit Mailbox(std::uint32_t generation) : generation_(generation), open_(true) {}

  [[nodiscard]] bool is_open() const { return open_; }
  [[nodiscard]] std::uint32_t generation() const { return generation_; }

  // What waits for it, in the order in which it goes out.
  [[nodiscard]] bool empty() const { return waiting_.empty(); }
  [[nodiscard]] const WaitingLetter& front() const { return waiting_.front(); }
  [[nodiscard]] Amount waiting() const { return amount_; }
  /// False: too much waits already.
  bool push(WaitingLetter letter);
  WaitingLetter pop();
  /// Called at intervals: whether nothing has gone out since the last time, though something waits.
  /// It has stopped then, until pop() is called.
  bool note_stop();
  [[nodiscard]] bool has_stopped() const { return stopped_; }
  /// All that its senders do not have yet of what they may post, by sender; they have it then.
  [[nodiscard]] std::vector<std::pair<WorkerId, Amount>> release();

  // What it posts.
  /// False: it had no credit for that.
  [[nodiscard]] bool spend(const Amount& amount);
  void give_back(const Amount& amount) { returned_ += amount; }
  void lose(const channel::LossEntry& entry) { losses_.push_back(entry); }
  [[nodiscard]] const std::vector<channel::LossEntry>& losses() const { return losses_; }
  void losses_told(std::size_t count) {
    losses_.erase(losses_.begin(), losses_.begin() + static_cast<std::ptrdiff_t>(count));
  }
  /// Enough to be worth a datagram.
  [[nodiscard]] bool has_credit_to_tell() const;
  /// All that was given back.
  [[nodiscard]] Amount credit() const { return returned_; }
  void credit_told();

  std::set<std::string, std::less<>> groups;
  bool due = false;  // see Hub::touch
  bool subscribed = false;
  bool events_lost = false;         // and it was not told so yet
  std::uint64_t posted_lately = 0;  // since the operator was told

 private:
  std::uint32_t generation_ = 0;
  bool open_ = false;
  std::deque<WaitingLetter> waiting_;
  Amount amount_;                      // of waiting_
  std::map<WorkerId, Amount> shares_;  // the same, by sender
  std::size_t descriptors_ = 0;        // among waiting_
  bool moved_ = true;                  // something has gone out, or nothing waited
  bool stopped_ = false;
  Amount used_;      // posted, and no credit told for it
  Amount returned_;  // of used_: may be told
  std::vector<channel::LossEntry> losses_;
};

}  // namespace mpb
