// One try of an upstream: connects, plays the client's side of the handshake, hands on the client's
// request, and waits for the first byte of the answer, which it leaves in the socket.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include "common/base/error.hpp"
#include "common/base/unique_fd.hpp"
#include "common/io/endpoint.hpp"

namespace mpb::rtmp {

class UpstreamDial {
 public:
  enum class Progress : std::uint8_t {
    kGoesOn,   // watch for interest()
    kAnswers,  // everything is sent, and the first byte of the answer is there
    kFailed,   // why() says how
  };

  /// `prefix` goes before our hello; `request` (chunks, from connect on) behind the handshake, and
  /// must outlive this.
  UpstreamDial(std::string_view prefix, std::string_view request, std::mt19937_64& random);

  /// An error of kind kSystem with out_of_descriptors() is ours, not the upstream's.
  Status begin(const Endpoint& address);
  Progress on_events(std::uint32_t events);

  [[nodiscard]] std::uint32_t interest() const;
  /// The handshake is whole and the request is sent: only the answer to it is awaited.
  [[nodiscard]] bool is_greeted() const;
  [[nodiscard]] const std::string& why() const { return why_; }
  [[nodiscard]] int socket() const { return socket_.get(); }
  [[nodiscard]] UniqueFd take_socket() { return std::move(socket_); }

 private:
  Progress fail(std::string why);
  bool finish_connecting();
  bool write();
  bool read();

  std::string_view request_;
  UniqueFd socket_;
  std::string out_;       // not written yet
  std::string received_;  // of S0S1S2
  std::string why_;
  bool connected_ = false;
  bool greeting_sent_ = false;  // C2 and the request are in out_, or written
};

/// Whether `error` says that this process, or the system, has no descriptor, memory or port left.
bool out_of_descriptors(const Error& error);

}  // namespace mpb::rtmp
