// `rtmp`: a client belongs to the vhost, or the app, that its connect names, or to a stream.
#pragma once

#include <functional>
#include <random>
#include <string>
#include <string_view>

#include "mpbroker/classifier.hpp"
#include "proto/protocols.hpp"
#include "proto/rtmp/location.hpp"

namespace mpb::rtmp {

struct ClassifierOptions {
  KeyGranularity granularity = KeyGranularity::kVhost;
  bool proxy_protocol = false;  // a PROXY v1/v2 prefix must come first
  bool srs_real_ip = false;     // a 0xF3 prefix may come first
  /// The vhost that serves clients of the (normalised) name: itself, kDefaultVhost, or empty: none.
  /// Then a client that asked for it by name is refused; one that only came by this host may stay.
  std::function<std::string(std::string_view)> resolve;
};

/// Bytes behind the handshake: a tcUrl of kMaxName bytes in the smallest chunks is less, and with
/// the handshake it is less than what may travel with a client.
inline constexpr std::size_t kMaxBeforeConnect = 78 * 1024;
/// Messages before connect that may have begun and not be whole; clients send one after the other.
inline constexpr std::size_t kMaxPartialBeforeConnect = 4;

/// Answers the handshake (kReply), then reads on to connect, which stays unconsumed: the handler
/// gets all bytes from C2 on. Verdict::state is the client's address as a prefix told it, or empty.
class Classifier final : public mpb::Classifier {
 public:
  Classifier(ClassifierOptions options, std::uint64_t seed);
  [[nodiscard]] Verdict classify(std::string_view bytes, Classification& so_far) const override;
  [[nodiscard]] std::string_view busy_reply() const override;
  [[nodiscard]] std::string_view source_reply() const override;
  [[nodiscard]] bool quick_ack() const override { return true; }
  void describe(std::string_view key, std::string_view state, Notice& notice) const override;

 private:
  ClassifierOptions options_;
  mutable std::mt19937_64 random_;  // of the handshake's padding
};

}  // namespace mpb::rtmp
