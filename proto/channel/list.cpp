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

std::string_view take_key_batch(std::string_view& keys) {
  std::string_view rest = keys;
  KeyEntry entry;
  while (keys.size() - rest.size() < kKeyBatch && next_key(rest, entry)) continue;
  const std::string_view batch = keys.substr(0, keys.size() - rest.size());
  keys = rest;
  return batch;
}

}  // namespace mpb::channel
