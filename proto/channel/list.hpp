// Lists within channel messages, as views of their bytes: entries of one size, keys, and records.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "proto/base/byte_order.hpp"

namespace mpb::channel {

/// Entries that lie on the wire as they do in memory. Holds no memory of its own; decoded ones may
/// lie at any address, so they are copied out one by one.
template <class Entry>
class List {
  static_assert(std::is_trivially_copyable_v<Entry> &&
                std::has_unique_object_representations_v<Entry>);

 public:
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Entry;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = Entry;

    explicit Iterator(const char* at) : at_(at) {}
    Entry operator*() const {
      Entry entry;
      std::memcpy(&entry, at_, sizeof entry);
      return entry;
    }
    Iterator& operator++() {
      at_ += sizeof(Entry);
      return *this;
    }
    Iterator operator++(int) {
      const Iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const Iterator&) const = default;

   private:
    const char* at_;
  };

  List() = default;
  /// A view of them.
  template <std::convertible_to<std::span<const Entry>> Entries>
  List(const Entries& entries)  // NOLINT(*-explicit-*): the same entries
      : bytes_(bytes_of(entries)) {}
  /// Of its whole entries.
  explicit List(std::string_view bytes)
      : bytes_(bytes.substr(0, bytes.size() / sizeof(Entry) * sizeof(Entry))) {}

  [[nodiscard]] std::size_t size() const { return bytes_.size() / sizeof(Entry); }
  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  [[nodiscard]] Iterator begin() const { return Iterator(bytes_.data()); }
  [[nodiscard]] Iterator end() const { return Iterator(bytes_.data() + bytes_.size()); }
  [[nodiscard]] std::string_view bytes() const { return bytes_; }

 private:
  static std::string_view bytes_of(std::span<const Entry> entries) {
    return {reinterpret_cast<const char*>(entries.data()), entries.size_bytes()};
  }

  std::string_view bytes_;
};

/// What a key is called on the wire. Keys of one space mean the same owner on all its listeners.
struct KeyEntry {
  std::uint32_t epoch = 0;
  std::uint16_t space = 0;
  std::string_view key;
};

/// Appends an entry to a list of keys.
void append_key(std::string& keys, const KeyEntry& entry);
/// Takes the first entry off `keys`; false at the end, and where the rest is broken.
bool next_key(std::string_view& keys, KeyEntry& entry);

/// A record is a u32, how many bytes it has, and these. Takes the first off `records`; false at the
/// end, and where the rest is broken.
bool next_record(std::string_view& records, std::string_view& record);

// Take whole entries of at most about kBatch bytes off the front.
inline constexpr std::size_t kBatch = 32 * 1024;
std::string_view take_key_batch(std::string_view& keys);
std::string_view take_record_batch(std::string_view& records);

}  // namespace mpb::channel
