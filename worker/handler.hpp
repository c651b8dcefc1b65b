// What serves the clients of a listener once they are where they belong. To embed the worker in a
// program of your own, implement Handler, put a factory for it into a Registry
// (worker/registry.hpp) and call worker_main (worker/worker_main.hpp).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace mpb {

/// What a handler wants to remember of one client; destroyed with it.
class ClientState {
 public:
  virtual ~ClientState() = default;
};

/// A client as a handler sees it.
struct Client {
  std::string_view key;    // the partition it belongs to; empty: none
  std::uint16_t slot = 0;  // the worker's slot
  std::uint16_t hops = 0;  // how often it was handed over
  std::unique_ptr<ClientState> state;
};

/// What became of the bytes a handler was given.
struct Step {
  enum class Next : std::uint8_t {
    kContinue,  // what was not consumed comes again with more behind it
    kYield,     // enough output for now: call again with the rest when it is written
    kMove,      // the client says that it belongs to `key`; what was not consumed goes with it
    kClose,     // write what was output, then close
    kReject,    // the same, and count the client as one that broke its protocol
  };
  Next next = Next::kContinue;
  std::size_t consumed = 0;
  std::string key{};
};

/// Serves all clients of one listener in one worker. Single-threaded; must not block.
class Handler {
 public:
  virtual ~Handler() = default;

  /// `bytes`: everything the client sent that was not consumed yet, from its first byte on,
  /// whichever worker read it. Output goes to the end of `out`. kMove with the client's own key is
  /// an error of the handler.
  virtual Step on_bytes(Client& client, std::string_view bytes, std::string& out) = 0;

  /// The client is about to move: what its next handler must know besides the unconsumed bytes.
  /// At most 4096 bytes.
  virtual std::string export_state(const Client&) { return {}; }
  /// The other end of export_state; called before the first on_bytes. False: the state is not
  /// understood, and the client is closed.
  virtual bool import_state(Client&, std::string_view state) { return state.empty(); }

  /// The client is gone, or has moved to another worker. Also called for one that on_bytes never
  /// saw.
  virtual void on_close(Client&) {}
};

}  // namespace mpb
