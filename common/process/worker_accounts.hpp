// Whom workers run as: one account for all, or a range of accounts, one for each slot.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/error.hpp"
#include "common/process/child.hpp"

namespace mpb {

/// "60600..60663", "60600-60663" or "mpbroker-0..mpbroker-15": accounts that differ in a number.
struct AccountRange {
  std::string name;  // before the number; empty: they are numbers
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  std::size_t digits = 0;  // as many at least: "w-00..w-15"

  [[nodiscard]] std::size_t size() const { return std::size_t{last} - first + 1; }
  [[nodiscard]] std::string at(std::size_t index) const;
};

/// Whether `text` is meant as a range.
bool is_account_range(std::string_view text);
/// The error says what is expected.
Result<AccountRange> parse_account_range(std::string_view text);

class WorkerAccounts {
 public:
  /// As `user` and `group` (both may be empty) say for this many slots; the error says what is
  /// expected, and in which account it was not found.
  /// Accounts of a range are told apart, and none is root's or this process's own.
  static Result<WorkerAccounts> find(const std::string& user, const std::string& group,
                                     std::size_t slots);

  /// False: this slot has none of the range, and must not run.
  [[nodiscard]] bool cover(std::size_t slot) const { return !separate_ || slot < accounts_.size(); }
  /// Unset: as this process.
  [[nodiscard]] std::optional<Credentials> of(std::size_t slot) const;
  /// Whether each slot has its own.
  [[nodiscard]] bool separate() const { return separate_; }
  /// Whether this user is a worker's and nobody else's.
  [[nodiscard]] bool includes(uid_t user) const;

 private:
  std::vector<Credentials> accounts_;  // one for all, or one for each slot; none: as this process
  bool separate_ = false;
};

}  // namespace mpb
