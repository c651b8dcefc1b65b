// All sessions of a worker: where they live; and how many clients it has, and from where.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
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
  /// One more session stays free until all that were promised are released, to be taken at once.
  void promise_session();
  void release_promised() { promised_ = 0; }
  /// Gives back one whose client has left it.
  void give_back(Session& session);

  /// A client's source (common/config/network.hpp), which has one client more from now on. Nothing
  /// when it has `limit` already.
  std::optional<IpBytes> admit_source(const IpBytes& address, std::uint32_t limit);
  void forget_source(const IpBytes& source);

  /// All client descriptors here.
  [[nodiscard]] std::uint32_t held() const { return held_; }
  void add_held() { ++held_; }
  void remove_held() { --held_; }
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
  void add_chunk();

  static constexpr std::size_t kChunk = 64;
  using Chunk = std::array<Session, kChunk>;

  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::vector<Session*> free_;  // has room for all of them
  std::size_t promised_ = 0;    // of those free
  KeyedMap<IpBytes, std::uint32_t> per_source_;
  std::uint32_t held_ = 0;
  std::uint32_t routed_ = 0;
  std::uint32_t descriptor_cap_ = 0;
};

}  // namespace mpb
