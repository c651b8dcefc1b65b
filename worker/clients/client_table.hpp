// All sessions of a worker: where they live, how many they are, and from where.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "common/base/keyed_map.hpp"
#include "common/config/network.hpp"
#include "worker/clients/session.hpp"

namespace mpb {

class ClientTable {
 public:
  ClientTable();

  /// A free session. Sessions are reused and never move in memory.
  Session& take();
  /// Gives a closed session back.
  void give_back(Session& session);

  /// False when the peer's source (common/config/network.hpp) has `limit` clients here already (0:
  /// no limit). Unix sockets have none and no limit.
  bool admit_source(const Session& session, int fd, std::uint32_t limit);
  bool admit_source(const Session& session, const IpBytes& address, std::uint32_t limit);
  void forget_source(const Session& session);
  /// Clients over the limit of their address that wait for another to leave, which may be known
  /// already but for the reading.
  [[nodiscard]] bool may_hold_back() const { return held_back_ < kMostHeldBack; }
  void add_held_back() { ++held_back_; }
  void remove_held_back() { --held_back_; }

  /// All client descriptors here.
  [[nodiscard]] std::uint32_t held() const { return held_; }
  /// Those that were routed here.
  [[nodiscard]] std::uint32_t routed() const { return routed_; }
  void add_routed() { ++routed_; }
  void remove_routed() { --routed_; }
  /// Whether one more routed client stays within `limit` (0: no limit).
  [[nodiscard]] bool has_room(std::uint32_t limit) const { return limit == 0 || routed_ < limit; }

  /// How many client descriptors this process may hold: RLIMIT_NOFILE less a reserve for the
  /// channel, listeners and passing descriptors.
  [[nodiscard]] std::uint32_t descriptor_cap() const { return descriptor_cap_; }

  /// Whether this descriptor may be a client's: the others are that reserve. The kernel gives the
  /// lowest free number, so handlers that open some of their own leave fewer for clients.
  [[nodiscard]] bool may_hold(int fd) const {
    return static_cast<std::uint32_t>(fd) < descriptor_cap_;
  }

  /// Calls `visit(Session&)` for every session in use; it may close sessions.
  template <class F>
  void for_each(F&& visit) {
    for (const auto& chunk : chunks_) {
      for (Session& session : *chunk) {
        if (session.state() != Session::State::kFree) visit(session);
      }
    }
  }

 private:
  static constexpr std::size_t kChunk = 64;
  static constexpr std::uint32_t kMostHeldBack = 64;
  using Chunk = std::array<Session, kChunk>;
  using Address = IpBytes;

  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::vector<Session*> free_;
  KeyedMap<Address, std::uint32_t> per_source_;
  KeyedMap<const Session*, Address> sources_;
  std::uint32_t held_back_ = 0;
  std::uint32_t held_ = 0;
  std::uint32_t routed_ = 0;
  std::uint32_t descriptor_cap_ = 0;
};

}  // namespace mpb
