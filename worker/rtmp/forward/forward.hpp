// `forward`: clients are served by the upstreams of their vhost, other RTMP servers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "mpbroker/handler.hpp"
#include "proto/channel/message.hpp"
#include "proto/rtmp/chunk.hpp"
#include "proto/rtmp/handshake.hpp"
#include "proto/rtmp/location.hpp"
#include "worker/worker_environment.hpp"

namespace mpb::rtmp {

class Upstreams;

/// Looks for connect in what a client sent, from C2 on. Most come with theirs; of one that does
/// not, each byte is read once.
class ConnectSearch {
 public:
  enum class Result : std::uint8_t { kConnect, kNeedMore, kBad };
  /// `bytes`: those of the call before, and more.
  Result look(std::string_view bytes);
  /// Of kConnect.
  [[nodiscard]] const ConnectTarget& target() const { return target_; }

 private:
  Result next(std::string_view& bytes);

  ChunkReader reader_{channel::kMaxUnconsumed};
  std::size_t read_ = kHandshakeBlock;
  Result result_ = Result::kNeedMore;
  ConnectTarget target_;
};

/// Takes a client's socket over once its connect is whole
/// (worker/rtmp/forward/forwarded_client.hpp). What the client sent goes to the upstream as it
/// came, but for the handshake, which is played anew.
class Forward final : public Handler {
 public:
  explicit Forward(WorkerEnvironment& environment);

  Step on_bytes(Client& client, std::string_view bytes, std::string& out) override;
  bool import_state(Client& client, std::string_view state) override;
  void describe(const Client& client, Notice& notice) const override;
  void on_close(Client& client) override;

  /// Whether this handler has the client.
  [[nodiscard]] static bool has(const Client& client);

 private:
  WorkerEnvironment& environment_;
  Upstreams& upstreams_;
};

}  // namespace mpb::rtmp
