// Finding out from a client's first bytes whom it belongs to. Pure: bytes in, verdict out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "mpbroker/notice.hpp"

namespace mpb {

struct Verdict {
  enum class Kind : std::uint8_t {
    kNeedMore,  // no verdict on these bytes yet
    kReply,     // send `text` and `reply`, drop `consumed` bytes, go on
    kRoute,     // the client belongs to `key`
    kLocal,     // no partition: whoever holds the client serves it
    kReject,    // send `text` and `reply`, then close
  };
  Kind kind = Kind::kNeedMore;
  std::string_view text{};   // static, or points into the classified bytes
  std::size_t consumed = 0;  // bytes that need not travel with the client
  std::string key{};
  std::string reply{};  // what is sent, where it is made for this client
  std::string state{};  // what the handler must know besides the bytes (Handler::import_state); the
                        // last one that is not empty counts
  std::uint8_t stage = 0;             // kReply: that of the next call
  bool prefixed = false;              // kReply: the bytes consumed are a proxy's, about the client
  Reason reason = Reason::kProtocol;  // kReject: why; `key` is then what was asked for, if known
};

/// Why a client is refused, where its protocol has words for people.
inline constexpr std::string_view kServerFull = "The server is full. Try again later.";
inline constexpr std::string_view kSourceFull = "Too many clients come from this address.";

/// What a classifier has found out of one client and not told yet.
class Findings {
 public:
  virtual ~Findings() = default;
  /// Bytes that it holds.
  [[nodiscard]] virtual std::size_t memory() const = 0;
};

/// Where a client comes from.
class Peer {
 public:
  /// "192.0.2.1:1234"; empty: a unix socket.
  [[nodiscard]] virtual std::string address() const = 0;

 protected:
  ~Peer() = default;
};

/// How far the classification of one client has come. Kept where its bytes are; a client that is
/// new has none of it.
struct Classification {
  std::uint8_t stage = 0;  // what the last kReply said: a protocol that answers before it knows the
                           // owner tells by it what was answered
  std::size_t seen = 0;    // of the bytes that are not consumed: were given before and not enough
  std::unique_ptr<Findings> findings{};  // the classifier's own, of those; may be null
  const Peer* peer = nullptr;            // null: not known
};

/// One protocol's way of naming the owner. Holds nothing of a client: it is given all bytes that
/// were not consumed yet, and any split of them into segments gives the same verdict. A client may
/// send byte by byte, so what is `seen` is not gone through again, unless it is short.
class Classifier {
 public:
  virtual ~Classifier() = default;
  /// classify(), and keeps `so_far` for the next call.
  [[nodiscard]] Verdict go_on(std::string_view bytes, Classification& so_far) const;
  [[nodiscard]] virtual Verdict classify(std::string_view bytes, Classification& so_far) const = 0;
  /// What a client is told when nobody can take it; sent before the close.
  [[nodiscard]] virtual std::string_view busy_reply() const { return {}; }
  /// The same when there are too many of its address where it belongs.
  [[nodiscard]] virtual std::string_view source_reply() const { return busy_reply(); }
  /// Whether clients wait for our acknowledgements until they are served: they are then sent at
  /// once (TCP_QUICKACK, tcp(7)).
  [[nodiscard]] virtual bool quick_ack() const { return false; }
  /// Fills in what is known of a client that no handler has yet, by its key and the last state of a
  /// Verdict; the texts are views of the two.
  virtual void describe(std::string_view key, std::string_view state, Notice& notice) const {
    static_cast<void>(state);
    notice.key = key;
  }
};

}  // namespace mpb
