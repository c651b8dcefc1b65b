// Numbers of deliveries and of ownerships that nobody else can make up: whoever keeps the key of
// the seal knows its own words when workers repeat them to a broker that was not there. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "broker/dispatch/worker_table.hpp"
#include "proto/base/siphash.hpp"

namespace mpb {

/// A process of a slot.
struct Party {
  Slot slot = kNoSlot;
  std::uint32_t incarnation = 0;
};

class Seal {
 public:
  explicit constexpr Seal(SipKey key) : key_(key) {}

  /// Of the client that a process of `origin` has offered as `handoff`, to `target`.
  [[nodiscard]] std::uint64_t delivery(Slot origin, std::uint64_t handoff,
                                       const Party& target) const {
    SipState state(key_);
    state.block(origin);
    state.block(handoff);
    state.block(word(target));
    return state.finish();
  }
  /// Of a key, by space (2 bytes) and key, that becomes `owner`'s; `count` tells it from the same
  /// owner's before. Not 0.
  [[nodiscard]] std::uint32_t epoch(const Party& owner, std::string_view name,
                                    std::uint32_t count) const {
    return (proof(owner, name) & ~kCount) | (count % kCount + 1);
  }
  /// Whether it is such an epoch.
  [[nodiscard]] bool is_epoch(const Party& owner, std::string_view name,
                              std::uint32_t epoch) const {
    return ((epoch ^ proof(owner, name)) & ~kCount) == 0 && (epoch & kCount) != 0;
  }

 private:
  static constexpr std::uint32_t kCount = 0xff;

  static std::uint64_t word(const Party& party) {
    return (std::uint64_t{party.slot} << 32U) | party.incarnation;
  }
  [[nodiscard]] std::uint32_t proof(const Party& owner, std::string_view name) const {
    SipState state(key_);
    state.block(word(owner));
    state.block(siphash13(key_, name));
    return static_cast<std::uint32_t>(state.finish());
  }

  SipKey key_;
};

}  // namespace mpb
