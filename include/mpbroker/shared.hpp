// Tables that all workers of a service have: each reads its own copy, without asking anybody, and
// the broker puts all changes in one order, in which every worker applies them:
//
//   mpb::SharedMap& sessions = environment.shared().map("sessions");
//   sessions.put(id, user, std::chrono::hours(1));
//   if (const auto session = sessions.get(id)) greet(session->value);
//   const mpb::TableResult visits = co_await sessions.async_add("visits", 1);
//
// A worker that starts has all entries before its first client, also one that takes the place of a
// worker that was killed. Tables end with the broker. A single process has tables of its own.
//
// The broker applies what it has received exactly once, and what it has not received never. Who
// learns of no result (its worker or the broker has ended: kUnavailable) cannot know which it was:
// ask again only by compare_and_put.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>

namespace mpb {

/// What became of an operation. The numbers are those of the channel (docs/channel-protocol.md).
enum class TableOutcome : std::uint8_t {
  kDone = 0,
  kConflict = 1,     // compare_and_put: another version is there
  kNotFound = 2,     // erase: there is no such entry
  kFull = 3,         // there are as many tables, entries or bytes as there may be
  kNoNumber = 4,     // add: the value is no whole number, or the sum has no 64 bits
  kBadName = 5,      // of the table: 1 to 64 letters, digits, '.', '_' or '-'
  kBadKey = 6,       // not 1 to 255 bytes; of "deny" and "allow": no address or network
  kTooLong = 7,      // the value has more than 4,096 bytes
  kForbidden = 8,    // "deny" and "allow" are the operator's, unless workers-deny = yes
  kUnavailable = 9,  // the broker is gone
  kBusy = 10,        // too many operations of this worker wait for their result
};

/// "done", "conflict", "not-found", ...
std::string_view to_string(TableOutcome outcome);

struct TableResult {
  TableOutcome outcome = TableOutcome::kDone;
  /// Of the entry after the operation; of a conflict: as it is, 0 if there is none. A later change
  /// of any table has a higher one.
  std::uint64_t version = 0;
  std::int64_t sum = 0;  // add: the value that it has now

  explicit operator bool() const { return outcome == TableOutcome::kDone; }
};
using TableDone = std::function<void(const TableResult&)>;

/// A view: it holds until the function returns that got it, or waits (co_await).
struct TableValue {
  std::string_view value;
  std::uint64_t version = 0;
};

/// What has changed.
struct TableEvent {
  std::string_view key;
  std::optional<TableValue> now;  // none: the entry was erased, or its time is over
  std::uint64_t version = 0;      // of the change
};

/// Ends with it.
using TableWatch = std::shared_ptr<void>;

/// One table, for the worker's thread alone. Nothing in it changes while a function that uses it
/// runs: changes, watches and results come between.
class SharedMap {
 public:
  using Ttl = std::chrono::milliseconds;  // how long an entry lasts; 0: until it is erased
  static constexpr Ttl kForEver{0};

  [[nodiscard]] virtual std::optional<TableValue> get(std::string_view key) const = 0;
  [[nodiscard]] virtual std::size_t size() const = 0;
  /// Calls `visit` for each entry whose key begins with `prefix`, in no order; goes through all.
  virtual void for_each(
      std::string_view prefix,
      const std::function<void(std::string_view key, const TableValue& value)>& visit) const = 0;
  /// Calls `changed` for each change of such an entry, in order, when it has been applied here; of
  /// changes that this worker was too slow for, what came of them is told.
  [[nodiscard]] virtual TableWatch watch(std::string_view prefix,
                                         std::function<void(const TableEvent&)> changed) = 0;

  // Each asks the broker, and `done` is called once the change has been applied here, or with why
  // it was not made. May be called at any time; before the worker has begun, it waits.
  virtual void put(std::string_view key, std::string_view value, Ttl ttl = kForEver,
                   TableDone done = {}) = 0;
  virtual void erase(std::string_view key, TableDone done = {}) = 0;
  /// If the entry has the version `expected`; 0: if there is none.
  virtual void compare_and_put(std::string_view key, std::string_view value, std::uint64_t expected,
                               Ttl ttl = kForEver, TableDone done = {}) = 0;
  /// The value is a whole number, in decimal digits; where there is none it begins with 0, and
  /// `ttl` counts then alone.
  virtual void add(std::string_view key, std::int64_t amount, Ttl ttl = kForEver,
                   TableDone done = {}) = 0;

  // The same for coroutines in the worker's Environment::asio().
  boost::asio::awaitable<TableResult> async_put(std::string key, std::string value,
                                                Ttl ttl = kForEver);
  boost::asio::awaitable<TableResult> async_erase(std::string key);
  boost::asio::awaitable<TableResult> async_compare_and_put(std::string key, std::string value,
                                                            std::uint64_t expected,
                                                            Ttl ttl = kForEver);
  boost::asio::awaitable<TableResult> async_add(std::string key, std::int64_t amount,
                                                Ttl ttl = kForEver);

 protected:
  ~SharedMap() = default;
};

class SharedTables {
 public:
  /// The table of this name, which lasts as long as the Environment. It exists for others from its
  /// first entry on. Names: see TableOutcome::kBadName.
  virtual SharedMap& map(std::string_view name) = 0;

 protected:
  ~SharedTables() = default;
};

}  // namespace mpb
