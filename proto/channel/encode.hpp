// Writes channel messages: the fields of each, as its walk() names them.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "proto/base/byte_order.hpp"
#include "proto/channel/message.hpp"

namespace mpb::channel {

class Writer {
 public:
  /// Begins a datagram behind what is in `out`.
  Writer(std::string& out, Type type) : out_(out), begin_(out.size()) {
    std::array<char, kHeaderSize> header{};
    header[0] = static_cast<char>(kVersion);
    header[1] = static_cast<char>(type);
    out_.append(header.data(), header.size());
  }
  void finish() { put(4, static_cast<std::uint32_t>(out_.size() - begin_ - kHeaderSize)); }

  template <std::unsigned_integral T>
  void operator()(T number) {
    append_le(out_, number);
  }
  template <class Enum>
  void code(Enum value, Enum, Enum, std::string_view) {
    append_le(out_, static_cast<std::underlying_type_t<Enum>>(value));
  }
  void boolean(bool value) { append_le(out_, std::uint8_t{value}); }
  void reserved(std::size_t count) { out_.append(count, '\0'); }
  void text(std::string_view text, std::size_t, std::string_view) {
    append_le(out_, static_cast<std::uint32_t>(text.size()));
    out_.append(text);
  }
  template <class Entry>
  void list(const List<Entry>& entries) {
    text(entries.bytes(), 0, {});
  }
  void traveller(const Traveller& client) {
    client.wire.empty() ? Traveller::walk(client, *this) : void(out_.append(client.wire));
  }
  void content(const Content& content) {
    content.wire.empty() ? Content::walk(content, *this) : void(out_.append(content.wire));
  }
  void id(std::uint64_t id) { put(8, id); }
  void flags(std::uint16_t flags) { put(2, flags); }
  void check(bool, std::string_view) {}

 private:
  template <class T>
  void put(std::size_t offset, T number) {
    std::memcpy(out_.data() + begin_ + offset, &number, sizeof number);
  }

  std::string& out_;
  std::size_t begin_;
};

/// Calls `send` for one list after another of at most kMaxListEntries of the entries.
template <class Entry, class Send>
void in_batches(std::span<const Entry> entries, Send&& send) {
  while (!entries.empty()) {
    const auto batch = entries.first(std::min(entries.size(), kMaxListEntries));
    entries = entries.subspan(batch.size());
    send(batch);
  }
}

/// Appends one whole datagram to `out`. Bounds are the caller's to keep.
template <class M>
void encode(std::string& out, const M& message) {
  Writer writer(out, kTypeOf<M>);
  walk(message, writer);
  writer.finish();
}

}  // namespace mpb::channel
