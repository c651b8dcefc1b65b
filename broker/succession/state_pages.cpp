#include "broker/succession/state_pages.hpp"

#include <atomic>
#include <cstring>

#include "proto/base/siphash.hpp"

namespace mpb {
namespace {

constexpr std::uint64_t kMagic = 0x4554'4154'5342'504d;  // "MPBSTATE"

}  // namespace

StatePages::StatePages(std::span<std::byte> memory)
    : places_{{memory.first(memory.size() / 2)}, {memory.last(memory.size() / 2)}} {
  const Place* newest = this->newest();
  if (newest == nullptr) return;
  sequence_ = header(*newest)->sequence;
  next_ = newest == &places_[0] ? 1 : 0;
}

std::uint64_t StatePages::checksum(const Header& header, std::string_view text) {
  return siphash13({header.sequence, header.size}, text);
}

std::string_view StatePages::text(const Place& place, const Header& header) {
  return {reinterpret_cast<const char*>(place.bytes.data()) + sizeof(Header), header.size};
}

std::optional<StatePages::Header> StatePages::header(const Place& place) {
  if (place.bytes.size() < sizeof(Header)) return std::nullopt;
  Header header{};
  std::memcpy(&header, place.bytes.data(), sizeof header);
  const bool whole = header.magic == kMagic && header.size <= place.room() &&
                     header.checksum == checksum(header, text(place, header));
  return whole ? std::optional(header) : std::nullopt;
}

const StatePages::Place* StatePages::newest() const {
  const auto first = header(places_[0]);
  const auto second = header(places_[1]);
  if (!first && !second) return nullptr;
  if (!first || !second) return first ? &places_[0] : &places_[1];
  return first->sequence > second->sequence ? &places_[0] : &places_[1];
}

std::optional<std::string_view> StatePages::read() const {
  const Place* place = newest();
  if (place == nullptr) return std::nullopt;
  return text(*place, *header(*place));
}

/// The checksum makes it whole, and is written last. The kernel keeps what was stored, so it is
/// enough that the compiler does not change the order.
bool StatePages::write(std::string_view text) {
  const Place& place = places_[next_];
  if (place.bytes.size() < sizeof(Header) || text.size() > place.room()) return false;
  Header fresh{0, sequence_ + 1, text.size(), 0};
  std::memcpy(place.bytes.data(), &fresh, sizeof fresh);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  std::memcpy(place.bytes.data() + sizeof fresh, text.data(), text.size());
  std::atomic_signal_fence(std::memory_order_seq_cst);
  fresh.checksum = checksum(fresh, text);
  fresh.magic = kMagic;
  std::memcpy(place.bytes.data(), &fresh, sizeof fresh);
  ++sequence_;
  next_ = 1 - next_;
  return true;
}

}  // namespace mpb
