#include "proto/channel/list.hpp"

namespace mpb::channel {

void append_key(std::string& keys, const KeyEntry& entry) {
  append_le(keys, entry.epoch);
  append_le(keys, entry.space);
  append_le(keys, static_cast<std::uint16_t>(entry.key.size()));
  keys.append(entry.key);
}

bool next_key(std::string_view& keys, KeyEntry& entry) {
  if (keys.empty()) return false;
  ByteReader in(keys);
  entry.epoch = in.number<std::uint32_t>();
  entry.space = in.number<std::uint16_t>();
  entry.key = in.bytes(in.number<std::uint16_t>());
  if (!in.ok()) return false;
  keys = in.rest();
  return true;
}

bool next_record(std::string_view& records, std::string_view& record) {
  if (records.empty()) return false;
  ByteReader in(records);
  record = in.bytes(in.number<std::uint32_t>());
  if (!in.ok()) return false;
  records = in.rest();
  return true;
}

namespace {

/// `next` takes the first entry off.
template <class Next>
std::string_view take_batch(std::string_view& entries, Next next) {
  std::string_view rest = entries;
  while (entries.size() - rest.size() < kBatch && next(rest)) continue;
  const std::string_view batch = entries.substr(0, entries.size() - rest.size());
  entries = rest;
  return batch;
}

}  // namespace

std::string_view take_key_batch(std::string_view& keys) {
  return take_batch(keys,
                    [entry = KeyEntry()](auto& rest) mutable { return next_key(rest, entry); });
}

std::string_view take_record_batch(std::string_view& records) {
  return take_batch(records, [record = std::string_view()](auto& rest) mutable {
    return next_record(rest, record);
  });
}

}  // namespace mpb::channel
