// What serves the clients of a listener once they are where they belong. To embed the worker in a
// program of your own, implement Handler, put a factory for it into a Registry
// and call worker_main (mpbroker/worker.hpp).
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "mpbroker/notice.hpp"

namespace mpb {

/// What a handler wants to remember of one client; destroyed with it.
class ClientState {
 public:
  virtual ~ClientState() = default;
};

/// A client's connection, for handlers that write or close at other times than from within
/// on_bytes. Valid from on_open (or import_state) to on_close, at the same place: as long as that,
/// others may keep a pointer to it, or to its Client.
///
/// What one client's callback may do to another client: send(), send_file(), write(),
/// exempt_from_idle() and note_memory() call nobody back. finish() and close_slow() may call the
/// other's on_close from within, so not while going through what on_close changes. proceed() calls
/// on_bytes, and is for timers and the end of a turn, not for another's callback.
class Connection {
 public:
  /// Bytes that may wait for a client, of on_bytes and write() together.
  static constexpr std::size_t kMaxUnsent = 256UL * 1024;

  /// Writes what the socket takes now, in order behind all output of on_bytes. Gives the number of
  /// bytes taken; less than all means that on_writable will be called. Nothing: the connection is
  /// broken, and finish() is all that is left to do.
  virtual std::optional<std::size_t> send(std::span<const iovec> slices) = 0;
  /// Writes all of `text`, in order behind all output before: what the socket does not take now is
  /// kept for it, and on_writable is not called for that. False: nothing of it was taken, since
  /// more than kMaxUnsent would wait, the connection is broken, or the client is on its way to
  /// another worker or its end. For one that is merely slow: leave the text out, or close_slow().
  /// Within on_bytes it goes before what is in `out` then. Not after Step::kDetach.
  virtual bool write(std::string_view text) = 0;
  /// The same with `size` bytes of a file in memory, which the socket takes by reference
  /// (sendfile(2)): they must stay as they are for as long as they are on their way, even when the
  /// file has no place for them any more. The socket must be O_NONBLOCK; SIGPIPE is ignored in
  /// workers. Nothing: as with send(), or this cannot be sent so.
  virtual std::optional<std::size_t> send_file(int file, off_t place, std::size_t size) = 0;
  /// Goes on after Step::kWait: on_bytes is called from within.
  virtual void proceed() = 0;
  /// Ends the client once what was written is on its way; on_bytes and on_writable are not called
  /// any more, on_close when it has gone. Not from within on_bytes. After Step::kDetach the handler
  /// takes the socket out of the loop before.
  virtual void finish() = 0;
  /// Counts the client as one that did not read what it was sent, and ends it at once: on_close is
  /// called from within. Not from within on_bytes.
  virtual void close_slow() = 0;
  /// While `exempt` the client may be silent for longer than the idle time limit.
  virtual void exempt_from_idle(bool exempt) = 0;
  /// After Step::kDetach: bytes have moved, and the time limits begin again: the idle one, or,
  /// while `unread` bytes wait for the client to read, the send time limit.
  virtual void note_progress(bool unread) = 0;
  /// The handler holds so many bytes of memory for the client, which count against media-memory.
  virtual void note_memory(std::size_t bytes) { static_cast<void>(bytes); }
  /// The socket, to look at or set options of; to read and write it after Step::kDetach.
  [[nodiscard]] virtual int descriptor() const = 0;
  /// Whether the peer is one whose word on the client's address counts (`prefix-from`). If not, an
  /// address that came along in a state is to be ignored, whichever worker says it.
  [[nodiscard]] virtual bool believes_peer() const { return true; }
  /// Another process may hold the socket, and calls that go by its O_NONBLOCK were made to wait
  /// lately: only those with MSG_DONTWAIT are right for it now.
  [[nodiscard]] virtual bool wary() const { return false; }
  /// After Step::kDetach: a call on the socket that goes by its O_NONBLOCK was interrupted
  /// (EINTR: a timer ends calls that wait). False: somebody has made it wait, and the socket is
  /// shut down.
  virtual bool endure_interruption() { return true; }

 protected:
  ~Connection() = default;
};

/// A client as a handler sees it.
struct Client {
  std::string_view key;    // the partition it belongs to; empty: none
  std::uint16_t slot = 0;  // the worker's slot
  std::uint16_t hops = 0;  // how often it was handed over
  std::size_t seen = 0;    // of what on_bytes is given: was given before, and not enough
  std::unique_ptr<ClientState> state;
  Connection* connection = nullptr;
};

/// What became of the bytes a handler was given.
struct Step {
  enum class Next : std::uint8_t {
    kContinue,  // what was not consumed comes again with more behind it
    kYield,     // enough output for now: call again with the rest when it is written
    kWait,      // nothing is read from the client before Connection::proceed()
    kDetach,    // the handler reads and writes the socket itself from now on
    kMove,      // the client says that it belongs to `key`: see Handler::on_bytes
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

  /// The client is this handler's from now on, and belongs to `client.key`: it was classified or
  /// delivered, or has come to another key by Step::kMove. Called before on_bytes, at once, for a
  /// client that says nothing more, too. It may be written to, and ended.
  virtual void on_open(Client&) {}

  /// `bytes`: everything the client sent that was not consumed yet, from its first byte on,
  /// whichever worker read it; empty when called by Connection::proceed() and nothing is there. A
  /// client may send byte by byte: what is `seen` is not to be gone through again.
  /// Output goes to the end of `out`. kMove with the client's own key is an error of the handler.
  ///
  /// After kMove what was not consumed goes with the client. If this worker serves the key, the
  /// same Client stays: on_open under its new key is all that is called. If not, it is offered to
  /// the others: export_state, on_close. It may come back nevertheless, as a new Client:
  /// import_state (if there is a state), on_open. A handler cannot know beforehand which of the two
  /// it will be.
  virtual Step on_bytes(Client& client, std::string_view bytes, std::string& out) = 0;

  /// All output is written, and the socket takes bytes again: after a Connection::send() that could
  /// not write everything, or output of on_bytes that had to wait.
  virtual void on_writable(Client&) {}

  /// The client is about to leave this worker for another key: what its next handler must know
  /// besides the unconsumed bytes. on_close follows.
  /// docs/channel-protocol.md, section 3, has the bounds.
  virtual std::string export_state(const Client&) { return {}; }
  /// The other end of export_state, and of Verdict::state; called before on_open. False:
  /// the state is not understood, and the client is closed.
  virtual bool import_state(Client&, std::string_view state) { return state.empty(); }

  /// What a client is told that was to move, or has moved here, and is taken by nobody; `why` is
  /// for people. Called between import_state, if there was a state, and on_close. Empty: it is told
  /// what its Classifier says.
  virtual std::string refusal(const Client&, std::string_view why) {
    static_cast<void>(why);
    return {};
  }

  /// The client is about to be closed since it does not read what it is sent; on_close follows. Not
  /// after Connection::close_slow().
  virtual void on_slow(Client&) {}

  /// The client is about to be closed since there is no memory for it; on_close follows.
  virtual void on_shortage(Client&) {}

  /// Fills in what the operator is to know of a client that is refused or timed out: its texts live
  /// as long as the client.
  virtual void describe(const Client&, Notice&) const {}

  /// Whether a client that sends no more is served on, until finish(): on_end tells. If not, it is
  /// closed when its end is read, or seen after Step::kWait.
  [[nodiscard]] virtual bool serves_half_closed() const { return false; }
  /// All that the client sent was given to on_bytes, and no more comes.
  virtual void on_end(Client&) {}

  /// The client is gone, or on its way to another worker; not for one that moved to another key of
  /// this worker. Also called for one that on_open never saw. What is done with the connection in
  /// here does nothing. After kDetach the handler takes the socket out of the loop here.
  virtual void on_close(Client&) {}
};

}  // namespace mpb
