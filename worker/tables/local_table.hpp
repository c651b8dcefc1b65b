// This worker's copy of a shared table.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/keyed_flat_map.hpp"
#include "mpbroker/shared.hpp"
#include "proto/channel/tables.hpp"

namespace mpb {

class LocalTable final : public SharedMap {
 public:
  struct Entry {
    std::string value;
    std::uint64_t version = 0;
  };
  using Entries = KeyedFlatMap<std::string, Entry>;
  /// Takes an operation to whoever orders them.
  using Ask = std::function<void(const channel::TableOperation& operation, TableDone done)>;

  LocalTable(std::string name, const Ask& ask) : name_(std::move(name)), ask_(ask) {}
  LocalTable(const LocalTable&) = delete;
  LocalTable& operator=(const LocalTable&) = delete;

  [[nodiscard]] std::optional<TableValue> get(std::string_view key) const override {
    const auto found = entries_.find(key);
    if (found == entries_.end()) return std::nullopt;
    return TableValue{found->second.value, found->second.version};
  }
  [[nodiscard]] std::size_t size() const override { return entries_.size(); }
  void for_each(std::string_view prefix,
                const std::function<void(std::string_view key, const TableValue& value)>& visit)
      const override;
  [[nodiscard]] TableWatch watch(std::string_view prefix,
                                 std::function<void(const TableEvent&)> changed) override;
  void put(std::string_view key, std::string_view value, Ttl ttl, TableDone done) override;
  void erase(std::string_view key, TableDone done) override;
  void compare_and_put(std::string_view key, std::string_view value, std::uint64_t expected,
                       Ttl ttl, TableDone done) override;
  void add(std::string_view key, std::int64_t amount, Ttl ttl, TableDone done) override;

  void apply(const channel::TableChange& change);
  bool used = false;  // somebody has it, though it may be empty

  /// Takes the place of all entries; `version`: of the copy that they are from.
  void replace(Entries fresh, std::uint64_t version);

 private:
  struct Watcher {
    std::string prefix;
    std::function<void(const TableEvent&)> changed;
  };
  void tell(const TableEvent& event);
  [[nodiscard]] channel::TableOperation operation(channel::TableOperation::Kind kind,
                                                  std::string_view key,
                                                  std::string_view value) const;

  const std::string name_;
  const Ask& ask_;
  Entries entries_;
  std::vector<std::weak_ptr<Watcher>> watchers_;
};

}  // namespace mpb
