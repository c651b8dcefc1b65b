// RTMP commands: "connect", "publish", "play", ... and the server's answers.
// Source: Adobe's RTMP Specification 1.0, 7.2; onStatus codes as SRS and Flash Media Server send
// them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/rtmp/amf0.hpp"
#include "proto/rtmp/chunk.hpp"

namespace mpb::rtmp {

inline constexpr std::uint32_t kOutChunkSize = 60'000;  // what our side sends with, once told
inline constexpr std::uint32_t kWindowAckSize = 2'500'000;
inline constexpr std::uint32_t kCommandChunkStream = 3;

/// A command message taken apart: name, transaction (0: none, no answer is wanted), then the
/// arguments (the command object is arguments[0], often Null).
struct Command {
  std::string name;
  double transaction = 0;
  std::vector<amf0::Value> arguments;
  /// There are arguments behind these that cannot be read, or too many.
  bool cut_short = false;

  /// The string argument at `index` (0 is the command object), or empty.
  [[nodiscard]] std::string_view text(std::size_t index) const;
  [[nodiscard]] std::optional<double> number(std::size_t index) const;
};

/// Of a kCommandAmf0 or kCommandAmf3 message (the latter: a zero byte, then AMF0; some clients mix
/// that up). All that is asked for is a name: a transaction may be left out, and arguments are
/// taken as far as they can be read. Nothing: not a command.
std::optional<Command> read_command(const Message& message);

// Each appends one whole message in chunks of `chunk_size`.

/// The answer to connect in one go: WindowAck, SetPeerBandwidth, SetChunkSize(kOutChunkSize), then
/// _result with NetConnection.Connect.Success. `object_encoding` is the client's (0 or 3).
/// `enhanced`: it also says what of Enhanced RTMP is relayed.
void append_connect_success(std::string& out, double transaction, double object_encoding,
                            std::string_view server_id, bool enhanced = false);
/// `_error` with NetConnection.Connect.Rejected.
void append_connect_rejected(std::string& out, double transaction, std::string_view description,
                             std::uint32_t chunk_size = kDefaultChunkSize);
/// `_result` with Null and, when given, a number or Undefined.
void append_result(std::string& out, double transaction, std::optional<double> value,
                   std::uint32_t chunk_size = kOutChunkSize);
/// `_error` with Null and an info object.
void append_error(std::string& out, double transaction, std::string_view code,
                  std::string_view description, std::uint32_t chunk_size = kOutChunkSize);
/// onStatus on `stream` with level ("status" or "error"), code and description.
void append_status(std::string& out, std::uint32_t stream, std::string_view level,
                   std::string_view code, std::string_view description,
                   std::uint32_t chunk_size = kOutChunkSize);
/// onStatus NetStream.Play.PublishNotify, or UnpublishNotify.
void append_publish_notify(std::string& out, std::uint32_t stream, std::string_view name,
                           bool begins);
/// onFCPublish / onFCUnpublish / onFCSubscribe, as SRS and FMS send them.
void append_fc_status(std::string& out, std::string_view method, std::string_view code,
                      std::string_view description, std::uint32_t chunk_size = kOutChunkSize);

// The client's side, for mprtmp and tests.
void append_connect(std::string& out, std::string_view app, std::string_view tc_url,
                    std::uint32_t chunk_size = kDefaultChunkSize);
void append_create_stream(std::string& out, double transaction,
                          std::uint32_t chunk_size = kDefaultChunkSize);
void append_publish(std::string& out, std::uint32_t stream, std::string_view name,
                    std::uint32_t chunk_size = kDefaultChunkSize);
void append_play(std::string& out, std::uint32_t stream, std::string_view name,
                 std::uint32_t chunk_size = kDefaultChunkSize);

}  // namespace mpb::rtmp
