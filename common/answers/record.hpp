// Entries of an answer as records of the channel (docs/channel-protocol.md, section 8): columns one
// behind another, little-endian, a length before each text and block of counters. Columns that are
// missing at the end have their defaults, further ones are skipped. Pure: no I/O, no clock.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/answers/entries.hpp"
#include "proto/base/byte_order.hpp"
#include "proto/channel/format.hpp"

namespace mpb {

/// Of a text in a record, in bytes.
inline constexpr std::size_t kMaxColumnText = 4096;

class RecordWriter {
 public:
  explicit RecordWriter(std::string& out) : out_(out) {}

  void operator()(std::string_view, const std::string& text) { put(text); }
  void operator()(std::string_view, std::uint64_t count) { append_le(out_, count); }
  void operator()(std::string_view, double number) {
    append_le(out_, std::bit_cast<std::uint64_t>(number));
  }
  void operator()(std::string_view, std::same_as<bool> auto flag) {
    append_le(out_, static_cast<std::uint8_t>(flag));
  }
  template <class Block>
  requires requires { Block::counters(); }
  void operator()(std::string_view, const Block& block) {
    const auto values = counter_values(block);
    put(channel::List<std::uint64_t>(values).bytes());
  }

 private:
  void put(std::string_view bytes) {
    bytes = bytes.substr(0, kMaxColumnText);
    append_le(out_, static_cast<std::uint32_t>(bytes.size()));
    out_.append(bytes);
  }

  std::string& out_;
};

class RecordReader {
 public:
  explicit RecordReader(std::string_view record) : in_(record) {}

  template <class T>
  void operator()(std::string_view, T& value) {
    if (!in_.at_end()) read(value);
  }
  /// Whether all that was there could be read.
  [[nodiscard]] bool ok() const { return good_ && in_.ok(); }

 private:
  std::string_view text() {
    const auto size = in_.number<std::uint32_t>();
    good_ = good_ && size <= kMaxColumnText;
    return in_.bytes(size);
  }
  void read(std::string& value) { value = text(); }
  void read(std::uint64_t& value) { value = std::min(in_.number<std::uint64_t>(), kMostCounted); }
  void read(double& value) {
    value = std::bit_cast<double>(in_.number<std::uint64_t>());
    good_ = good_ && std::isfinite(value) && value >= 0;
  }
  void read(bool& value) { value = (in_.number<std::uint8_t>() & 1) != 0; }
  template <class Block>
  requires requires { Block::counters(); }
  void read(Block& block) {
    const std::string_view values = text();
    good_ = good_ && values.size() % sizeof(std::uint64_t) == 0;
    take_values(block, channel::List<std::uint64_t>(values));
  }

  ByteReader in_;
  bool good_ = true;
};

/// One beyond channel::kMaxAnswer is left out: the broker shows far less. So is the end of a text
/// that is too long.
template <class Entry>
void append_record(std::string& records, const Entry& entry) {
  std::string record;
  RecordWriter writer(record);
  Entry::walk(entry, writer);
  if (records.size() + sizeof(std::uint32_t) + record.size() > channel::kMaxAnswer) return;
  append_le(records, static_cast<std::uint32_t>(record.size()));
  records += record;
}

/// Calls `take` with each entry up to the first that cannot be read; false: there is one.
template <class Entry, class Take>
bool read_records(std::string_view records, Take&& take) {
  std::string_view record;
  while (channel::next_record(records, record)) {
    Entry entry;
    RecordReader reader(record);
    Entry::walk(entry, reader);
    if (!reader.ok()) return false;
    take(std::move(entry));
  }
  return records.empty();
}

/// What a worker answers to a question, as it lies on the channel.
struct AnswerContent {
  bool unknown = false;  // is the question
  std::vector<std::uint64_t> totals{};
  std::string records{};
};

template <class Entry>
AnswerContent content_of(const Listing<Entry>& listing) {
  const auto totals = counter_values(listing.totals);
  AnswerContent content{.totals = {totals.begin(), totals.end()}};
  for (const Entry& entry : listing.entries) append_record(content.records, entry);
  return content;
}

}  // namespace mpb
