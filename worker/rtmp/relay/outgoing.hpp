// What is on its way to one client besides the log as it lies there, in order: bytes of its own,
// and bytes that it shares with others. The latter are lent, however long they are: what a client
// costs does not grow with what is sent to it. Pure.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/rtmp/chunk.hpp"

namespace mpb::rtmp {

/// Bytes that stay as they are while somebody has the keeper.
struct Loan {
  std::shared_ptr<const void> keeper;
  std::string_view bytes;
  std::optional<off_t> place;  // in the file of segments; nothing: they are in ordinary memory

  [[nodiscard]] Loan part(std::size_t from, std::size_t size) const {
    const auto moved = place ? std::optional(*place + static_cast<off_t>(from)) : std::nullopt;
    return {keeper, bytes.substr(from, size), moved};
  }
};

class Outgoing {
 public:
  /// Bytes of its own are written to the end of this.
  [[nodiscard]] std::string& own() { return own_; }
  /// Behind all that is there. Few bytes are copied: that is cheaper.
  void lend(Loan loan);
  /// A message, its payload lent, in chunks of kOutChunkSize (`message.payload` is not used).
  void lend_message(const Message& message, const Loan& payload);

  [[nodiscard]] bool empty() const { return size() == 0; }
  /// Bytes that are left to be sent.
  [[nodiscard]] std::size_t size() const { return own_.size() - sent_ + lent_; }
  /// Those of its own among them.
  [[nodiscard]] std::size_t own_size() const { return own_.size() - sent_; }
  /// Of memory that it takes up; what is lent belongs to others.
  [[nodiscard]] std::size_t memory() const {
    return own_.capacity() + loans_.capacity() * sizeof(Lent);
  }

  /// The first bytes as slices, up to `room` of them, or up to a loan that `large` bytes or more of
  /// a file make: first() has that, if nothing is before it. Gives how many bytes they are.
  std::size_t collect(std::vector<iovec>& slices, std::size_t room, std::size_t large) const;
  /// What comes next, if it is lent.
  [[nodiscard]] const Loan* first() const;
  /// The first `bytes` have been sent.
  void advance(std::size_t bytes);
  /// Copies what is left to the end of `out`, unless it is more than `limit` bytes.
  void append_to(std::string& out, std::size_t limit) const;
  /// Gives all of it up, and its memory.
  void clear();

 private:
  struct Lent {
    std::size_t at;  // in own_: comes before what is there
    Loan loan;       // what is left of it
  };

  [[nodiscard]] bool has_loan() const { return first_loan_ < loans_.size(); }
  void compact();

  std::string own_;
  std::size_t sent_ = 0;  // of own_
  std::vector<Lent> loans_;
  std::size_t first_loan_ = 0;  // those before it are paid back
  std::size_t lent_ = 0;        // bytes of the loans
};

}  // namespace mpb::rtmp
