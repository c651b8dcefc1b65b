// One client's side of RTMP, up to its media: bytes in, bytes out. Pure.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include "bench/mprtmp/address.hpp"
#include "bench/mprtmp/skimmer.hpp"

namespace mpb::rtmp_load {

/// What a session tells whoever runs it.
class SessionObserver {
 public:
  virtual void on_accepted() = 0;  // connect was answered
  virtual void on_started() = 0;   // so was publish or play
  virtual void on_refused(std::string_view why) = 0;
  virtual void on_media_begun() = 0;  // the header of an audio or video message came
  virtual void on_media(const Skimmed& message) = 0;

 protected:
  ~SessionObserver() = default;
};

class Session {
 public:
  enum class Role : std::uint8_t { kPublish, kPlay };

  /// `address` must outlive the session.
  Session(Role role, const Address& address) : address_(&address), role_(role) {}

  /// Takes what the server sent; appends answers to `out`. False: the server broke the protocol,
  /// why() says how. After on_refused nothing more is to be given.
  bool receive(std::string_view bytes, std::string& out, SessionObserver& observer);
  [[nodiscard]] std::string_view why() const { return why_; }
  /// Of publish or play; the server chose it.
  [[nodiscard]] std::uint32_t stream() const { return stream_; }
  [[nodiscard]] bool started() const { return stage_ == Stage::kStarted; }

 private:
  enum class Stage : std::uint8_t { kHandshake, kConnect, kCreateStream, kStart, kStarted };

  bool take_handshake(std::string_view& bytes, std::string& out);
  void on_message(const Skimmed& message, std::string& out, SessionObserver& observer);
  void on_command(const Skimmed& message, std::string& out, SessionObserver& observer);
  void on_result(double number, std::string& out, SessionObserver& observer);
  void acknowledge(std::size_t bytes, std::string& out);

  const Address* address_;
  std::string handshake_;  // S0S1S2 until they are whole
  ChunkSkimmer skimmer_;
  std::string_view why_;
  std::uint64_t received_ = 0;
  std::uint64_t acknowledged_ = 0;
  std::uint32_t window_ = 0;
  std::uint32_t stream_ = 0;
  Role role_;
  Stage stage_ = Stage::kHandshake;
};

}  // namespace mpb::rtmp_load
