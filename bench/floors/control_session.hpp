// The control protocol as a floor program needs it: a few bytes of state for each client, no
// allocation, one send() for what one read brought.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mpb::bench {

inline constexpr std::string_view kGreeting{"hello, server ping!\0", 20};
/// 'C' and a little-endian int32.
inline constexpr std::size_t kHeaderBytes = 5;
inline constexpr std::size_t kMaxMessage = 4096;

/// Answers on their way to one client, bounded: a client is read again once they are sent.
// NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init): the buffer is written before it is read
class Replies {
 public:
  /// False when there is no room: send what is here first.
  bool add(std::string_view text);
  void clear() { size_ = 0; }
  [[nodiscard]] std::string_view bytes() const { return {buffer_.data(), size_}; }

 private:
  std::array<char, 16384> buffer_;
  std::size_t size_ = 0;
};

/// Who answers a W.
struct ServedBy {
  int slot;
  int pid;
};

/// Where one client is in its stream of commands.
class ControlSession {
 public:
  enum class Step {
    kNeedMore,     // every byte is used
    kOwner,        // a whole C was read: id() names the owner; the caller answers or hands over
    kRepliesFull,  // send the replies and go on
    kReject        // an unknown byte or an over-long message; the replies end with the reason
  };

  ControlSession() = default;
  /// A client that was moved `hops` times before it came here.
  explicit ControlSession(std::uint8_t hops) : hops_(hops) {}

  /// Reads commands from the front of `bytes`, which is shortened by what was used.
  Step advance(std::string_view& bytes, ServedBy self, Replies& replies);

  [[nodiscard]] std::uint32_t id() const { return id_; }
  [[nodiscard]] std::uint8_t hops() const { return hops_; }
  /// The C command that id() was read from, to carry it to another process.
  [[nodiscard]] std::array<char, kHeaderBytes> header() const;

 private:
  enum class Stage : std::uint8_t { kCommand, kId, kMessage };

  Step command(std::string_view& bytes, ServedBy self, Replies& replies);
  bool read_id(std::string_view& bytes);
  Step read_message(std::string_view& bytes, Replies& replies);
  [[nodiscard]] bool add_whoami(ServedBy self, Replies& replies) const;

  std::uint32_t id_ = 0;
  std::uint16_t message_bytes_ = 0;
  std::uint8_t id_bytes_ = 0;
  std::uint8_t hops_ = 0;
  bool has_id_ = false;
  Stage stage_ = Stage::kCommand;
};

}  // namespace mpb::bench
