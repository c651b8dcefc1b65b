#include <algorithm>
#include <array>
#include <utility>

#include "proto/base/byte_order.hpp"
#include "proto/channel/message.hpp"

namespace mpb::channel {
namespace {

using Failure = DecodeResult<Message>;

struct Header {
  std::uint8_t version = 0;
  Type type{};
  std::uint16_t flags = 0;
  std::uint32_t length = 0;
  std::uint64_t id = 0;
};

Header read_header(ByteReader& in) {
  Header header;
  header.version = in.number<std::uint8_t>();
  header.type = static_cast<Type>(in.number<std::uint8_t>());
  header.flags = in.number<std::uint16_t>();
  header.length = in.number<std::uint32_t>();
  header.id = in.number<std::uint64_t>();
  return header;
}

/// Reads the fields of a message. What a newer sender has put behind them is left unread.
class Reader {
 public:
  Reader(const Header& header, std::string_view payload) : header_(header), in_(payload) {}

  template <std::unsigned_integral T>
  void operator()(T& number) {
    number = in_.number<T>();
  }
  template <class Enum>
  void code(Enum& value, Enum first, Enum last, std::string_view why) {
    value = static_cast<Enum>(in_.number<std::underlying_type_t<Enum>>());
    check(value >= first && value <= last, why);
  }
  void boolean(bool& value) { value = (in_.number<std::uint8_t>() & 1) != 0; }
  void reserved(std::size_t count) { in_.bytes(count); }
  void text(std::string_view& text, std::size_t most, std::string_view why) {
    const auto length = in_.number<std::uint32_t>();
    check(length <= most, why);
    text = in_.bytes(length);
  }
  template <class Entry>
  void list(List<Entry>& entries) {
    std::string_view bytes;
    text(bytes, kMaxPayload, {});
    check(bytes.size() % sizeof(Entry) == 0, "list with a broken entry");
    entries = List<Entry>(bytes);
  }
  void traveller(Traveller& client) {
    client.wire = in_.rest();
    Traveller::walk(client, *this);
    check(client.key.size() + client.state.size() + client.unconsumed.size() <= kMaxClient &&
              client.wire.size() <= kMaxTraveller,
          "key, state and unconsumed bytes too long");
  }
  void content(Content& content) {
    content.wire = in_.rest();
    Content::walk(content, *this);
    check(content.wire.size() <= kMaxContent, "content of a letter too long");
  }
  void id(std::uint64_t& id) { id = header_.id; }
  void flags(std::uint16_t& flags) { flags = header_.flags; }
  /// The first thing that is wrong counts; of fields that were not there nothing is said.
  void check(bool good, std::string_view why) {
    if (!good && in_.ok() && why_.empty()) why_ = why;
  }

  /// Empty: all is well.
  [[nodiscard]] std::string_view why() const {
    return !why_.empty() || in_.ok() ? why_ : "payload too short";
  }

 private:
  const Header& header_;
  ByteReader in_;
  std::string_view why_;
};

template <class M>
Failure read(const Header& header, std::string_view payload) {
  M message;
  Reader reader(header, payload);
  walk(message, reader);
  if (!reader.why().empty()) return Failure::failure(reader.why());
  return Message(std::move(message));
}

using Readers = std::array<Failure (*)(const Header&, std::string_view), 256>;

/// By type: reads the alternative of Message that has it; null: none has.
template <std::size_t... kIndex>
constexpr Readers readers_of(std::index_sequence<kIndex...>) {
  Readers readers{};
  ((readers[static_cast<std::size_t>(kTypeOf<std::variant_alternative_t<kIndex, Message>>)] =
        &read<std::variant_alternative_t<kIndex, Message>>),
   ...);
  return readers;
}
constexpr Readers kReaders = readers_of(std::make_index_sequence<std::variant_size_v<Message>>());

}  // namespace

DecodeResult<Message> decode(std::string_view datagram) {
  ByteReader in(datagram);
  const Header header = read_header(in);
  if (!in.ok()) return Failure::failure("shorter than a header");
  if (header.version != kVersion) return Failure::failure("unknown protocol version");
  if (header.length > kMaxPayload) return Failure::failure("payload over the limit");
  if (header.length != in.rest().size()) return Failure::failure("length does not match");
  const auto reader = kReaders[static_cast<std::size_t>(header.type)];
  if (reader == nullptr) return Failure::failure("unknown message type");
  return reader(header, in.rest());
}

bool carries_descriptor(const Message& message) {
  if (const auto* listen = std::get_if<Listen>(&message)) {
    return (listen->flags & Listen::kAccepts) != 0;
  }
  if (const auto* post = std::get_if<Post>(&message)) {
    return (post->flags & kWithDescriptor) != 0;
  }
  if (const auto* letter = std::get_if<Letter>(&message)) {
    return (letter->flags & kWithDescriptor) != 0;
  }
  return std::holds_alternative<Deliver>(message) || std::holds_alternative<Handoff>(message) ||
         std::holds_alternative<Fork>(message);
}

void append_block(std::string& blocks, const Block& block) {
  append_le(blocks, static_cast<std::uint16_t>(block.kind));
  append_le(blocks, block.number);
  append_le(blocks, static_cast<std::uint32_t>(block.counters.bytes().size()));
  blocks.append(block.counters.bytes());
}

bool next_block(std::string_view& blocks, Block& block) {
  if (blocks.empty()) return false;
  ByteReader in(blocks);
  block.kind = static_cast<BlockKind>(in.number<std::uint16_t>());
  block.number = in.number<std::uint16_t>();
  const std::string_view counters = in.bytes(in.number<std::uint32_t>());
  if (!in.ok()) return false;
  block.counters = List<std::uint64_t>(counters);
  blocks = in.rest();
  return true;
}

bool are_blocks(std::string_view blocks) {
  Block block;
  while (next_block(blocks, block)) continue;
  return blocks.empty();
}

bool are_keys(std::string_view keys) {
  KeyEntry entry;
  while (next_key(keys, entry)) {
    if (entry.key.size() > kMaxKey) return false;
  }
  return keys.empty();
}

bool are_records(std::string_view records) {
  std::string_view record;
  while (next_record(records, record)) continue;
  return records.empty();
}

bool are_nacks(const List<NackEntry>& entries) {
  return std::all_of(entries.begin(), entries.end(), [](const NackEntry& entry) {
    return entry.reason >= NackReason::kFull && entry.reason <= NackReason::kUncertain;
  });
}

}  // namespace mpb::channel
