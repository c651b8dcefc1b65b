// How much memory a worker's clients take, and who gives some of it up when it is too much. Pure.
//
// What is kept is shared out among vhosts, and what a vhost has among its clients, so that who
// keeps little keeps it: only those above the level at which all would fit (max-min fairness) give
// up anything. They do so by the mildest means that suffices: what is kept for players to begin
// with, then what players that lag have yet to get, then the client itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace mpb {

class MemoryKeeper;

/// Memory that is held for one thing of a client's.
struct MemoryShare {
  std::string vhost;               // empty: not known; of a client's shares the first that says it
  const void* client = nullptr;    // whose; null: nobody's that is here
  std::uint64_t bytes = 0;         // in all
  std::uint64_t spare = 0;         // of those, kept for players to begin with
  std::uint64_t due = 0;           // of those, what players have yet to get
  MemoryKeeper* keeper = nullptr;  // who carries out what is decided about it; not looked at here
  void* item = nullptr;            // likewise: what it is for the keeper
};

enum class Relief : std::uint8_t {
  kTrim,   // gives up what is spare
  kSkip,   // its players go on at what comes next
  kClose,  // the client is closed
};

/// Somebody who holds memory for clients.
class MemoryKeeper {
 public:
  /// Adds what it holds. Shares of no bytes need not be told.
  virtual void list_memory(std::vector<MemoryShare>& shares) = 0;
  /// `share` is one of those, and still there. With kClose the whole client goes.
  virtual void relieve(const MemoryShare& share, Relief relief) = 0;

 protected:
  ~MemoryKeeper() = default;
};

class MemoryBudget {
 public:
  /// 0: there is no limit.
  void set_limit(std::uint64_t bytes) {
    if (limit_ != bytes) next_ = 0;
    limit_ = bytes;
  }
  [[nodiscard]] std::uint64_t limit() const { return limit_; }
  /// Something takes `after` bytes instead of `before`.
  void change(std::uint64_t before, std::uint64_t after) { used_ += after - before; }
  [[nodiscard]] std::uint64_t used() const { return used_; }
  [[nodiscard]] bool is_over() const { return limit_ > 0 && used_ > limit_; }
  /// Something should be given up. Not so for a while after nothing more could be.
  [[nodiscard]] bool is_full() const { return is_over() && used_ >= next_; }

  struct Order {
    std::size_t share = 0;  // its number
    Relief relief = Relief::kTrim;
    friend bool operator==(const Order&, const Order&) = default;
  };
  /// What is to be given up until a tenth of the limit is free, so that not every message has to
  /// make room; each share is among it at most once, and a client that is closed with one of its
  /// shares. Nothing beyond `hardest`.
  [[nodiscard]] std::vector<Order> plan(std::span<const MemoryShare> shares,
                                        Relief hardest = Relief::kClose) const;
  /// Likewise, until no more than `wanted` bytes are used.
  [[nodiscard]] std::vector<Order> plan(std::span<const MemoryShare> shares, std::uint64_t wanted,
                                        Relief hardest) const;
  /// It was: when that was not enough it is no use to ask again at once.
  void relieved() { next_ = used_ + limit_ / kTenth; }

 private:
  static constexpr std::uint64_t kTenth = 10;

  std::uint64_t limit_ = 0;
  std::uint64_t used_ = 0;
  std::uint64_t next_ = 0;
};

}  // namespace mpb
