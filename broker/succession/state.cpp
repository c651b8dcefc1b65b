#include "broker/succession/state.hpp"

#include <concepts>
#include <type_traits>

#include "common/config/vhost_text.hpp"
#include "proto/base/byte_order.hpp"
#include "proto/channel/format.hpp"

namespace mpb {
namespace {

constexpr std::uint32_t kFormat = 1;  // another is another program's: nothing of it is taken
constexpr std::size_t kMostEntries = 10'000'000;
constexpr std::size_t kMostText = kMaxVhostText + channel::kMaxKey;

class StateWriter {
 public:
  explicit StateWriter(std::string& out) : out_(out) {}
  template <std::unsigned_integral T>
  void operator()(const T& number) {
    append_le(out_, number);
  }
  void operator()(const std::string& text) {
    append_le(out_, static_cast<std::uint32_t>(text.size()));
    out_ += text;
  }
  template <class T>
  void operator()(const std::vector<T>& entries) {
    append_le(out_, static_cast<std::uint32_t>(entries.size()));
    for (const T& entry : entries) field(entry);
  }

 private:
  template <class T>
  void field(const T& entry);

  std::string& out_;
};

class StateReader {
 public:
  explicit StateReader(std::string_view bytes) : in_(bytes) {}
  template <std::unsigned_integral T>
  void operator()(T& number) {
    number = in_.number<T>();
  }
  void operator()(std::string& text) {
    const auto size = in_.number<std::uint32_t>();
    if (size > kMostText) broken_ = true;
    text = broken_ ? std::string_view() : in_.bytes(size);
  }
  template <class T>
  void operator()(std::vector<T>& entries) {
    const auto count = in_.number<std::uint32_t>();
    // Each has a byte at least, so that nothing is made room for that is not there.
    if (count > kMostEntries || count > in_.rest().size()) broken_ = true;
    for (std::uint32_t i = 0; i < count && !broken_ && in_.ok(); ++i) field(entries.emplace_back());
  }
  [[nodiscard]] bool good() const { return !broken_ && in_.at_end(); }

 private:
  template <class T>
  void field(T& entry);

  ByteReader in_;
  bool broken_ = false;
};

template <class S, class Io>
void walk(S& s, Io& io) requires std::same_as<std::remove_const_t<S>, SlotState> {
  io(s.slot), io(s.generation), io(s.pid), io(s.role), io(s.flags), io(s.restarts);
  io(s.started_ms), io(s.name), io(s.user), io(s.nofile);
}
template <class S, class Io>
void walk(S& s, Io& io) requires std::same_as<std::remove_const_t<S>, ListenerState> {
  io(s.number), io(s.name), io(s.protocol), io(s.handler), io(s.key_granularity), io(s.prefix);
  io(s.wanted);
}
template <class S, class Io>
void walk(S& s, Io& io) requires std::same_as<std::remove_const_t<S>, SpaceState> {
  io(s.number), io(s.protocol);
}
template <class S, class Io>
void walk(S& s, Io& io) requires std::same_as<std::remove_const_t<S>, PinState> {
  io(s.space), io(s.key), io(s.slots);
}
template <class S, class Io>
void walk(S& s, Io& io) requires std::same_as<std::remove_const_t<S>, VhostState> {
  io(s.name), io(s.text);
}
template <class S, class Io>
void walk(S& s, Io& io) requires std::same_as<std::remove_const_t<S>, CountState> {
  io(s.kind), io(s.slot), io(s.number), io(s.values);
}
template <class S, class Io>
void walk(S& s, Io& io) requires std::same_as<std::remove_const_t<S>, BrokerState> {
  io(s.generation), io(s.seal.low), io(s.seal.high), io(s.next_epoch), io(s.widest_window);
  io(s.last_end_ms), io(s.stopping), io(s.workers), io(s.next_listener);
  io(s.slots), io(s.listeners), io(s.spaces), io(s.pins), io(s.vhosts), io(s.counts);
}

template <class T>
void StateWriter::field(const T& entry) {
  if constexpr (std::unsigned_integral<T>) {
    (*this)(entry);
  } else {
    walk(entry, *this);
  }
}

template <class T>
void StateReader::field(T& entry) {
  if constexpr (std::unsigned_integral<T>) {
    (*this)(entry);
  } else {
    walk(entry, *this);
  }
}

}  // namespace

std::string encode(const BrokerState& state) {
  std::string out;
  append_le(out, kFormat);
  StateWriter writer(out);
  walk(state, writer);
  return out;
}

DecodeResult<BrokerState> decode_state(std::string_view bytes) {
  using Failure = DecodeResult<BrokerState>;
  if (bytes.size() < sizeof kFormat || load_le<std::uint32_t>(bytes.data()) != kFormat) {
    return Failure::failure("it is of another version");
  }
  StateReader reader(bytes.substr(sizeof kFormat));
  BrokerState state;
  walk(state, reader);
  if (!reader.good()) return Failure::failure("it is broken");
  for (const SlotState& slot : state.slots) {
    if (slot.slot == kNoSlot) return Failure::failure("it names a slot that cannot be");
  }
  return state;
}

}  // namespace mpb
