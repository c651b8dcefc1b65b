// A client that is here, as a value: its descriptor, what whoever serves it next must know, and its
// places in the worker's books. A Session has one; without a session nobody reads or writes it: it
// is parked, waits for a place, or was delivered and not acknowledged yet.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/unique_fd.hpp"
#include "common/config/network.hpp"
#include "common/io/foreign_descriptor.hpp"
#include "proto/channel/message.hpp"

namespace mpb {

struct KeyState;
struct ServedListener;
struct WorkerContext;

/// Leaves the books and closes the descriptor when it ends; empty without a descriptor, as after it
/// was moved from.
struct HeldClient {
  HeldClient() = default;
  HeldClient(WorkerContext& of, ServedListener& with, ForeignDescriptor client);
  HeldClient(HeldClient&&) noexcept = default;
  HeldClient& operator=(HeldClient&& other) noexcept;
  ~HeldClient();

  /// One that the broker delivers. Others may serve it until its Ack is out.
  static HeldClient adopt(WorkerContext& worker, ServedListener& listener, UniqueFd fd,
                          const channel::Deliver& delivery);

  /// It is served here from now on, among the clients of the key `name` (empty: of none), which may
  /// be its own `wanted`. `epoch` as KeyTable::enter has it; a worker that drains owns nothing.
  void enter(std::string_view name, std::uint32_t epoch);
  /// Whether it can be served here: it has its place already, or the worker's limit leaves one.
  [[nodiscard]] bool has_room() const;
  /// False when too many from its address are here (clients-per-source), itself not among them.
  [[nodiscard]] bool admit_source();

  /// What the next worker must know; views.
  [[nodiscard]] channel::Traveller describe() const;
  /// Of the key it counts to; empty: none.
  [[nodiscard]] std::string_view key_text() const;
  /// What it takes, with `beside` bytes that are held elsewhere for it, counts in the budget.
  void account(std::size_t beside = 0);
  void close();

  WorkerContext* worker = nullptr;
  ServedListener* listener = nullptr;
  UniqueFd fd;
  StreamKind kind = StreamKind::kOther;  // of fd
  std::optional<IpBytes> source;         // where it counts against clients-per-source
  KeyState* key = nullptr;               // whose client it counts as
  std::string wanted;                    // the key it is offered under, or waits for
  std::string state;                     // of its last handler, or of the classifier for the first
  std::string input;                     // read, not consumed
  std::size_t accounted = 0;             // in the worker's budget
  std::uint64_t handoff = 0;             // its id while it is parked; see Handoffs
  std::uint16_t hops = 0;
  std::uint8_t attempts = 0;
  bool counted = false;     // among the worker's routed clients: a handler has or had it
  bool called_for = false;  // the handler is to be called, even if no bytes are there
  bool exposed = false;     // another process may hold a copy of the descriptor
  bool elsewhere = false;   // another process may serve it: its connection is left alone
};

}  // namespace mpb
