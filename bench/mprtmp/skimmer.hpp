// Reads a chunk stream without putting messages together: of media, only the front is kept.
// Source: Adobe's RTMP Specification 1.0, 5.3 and 5.4.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/rtmp/chunk.hpp"

namespace mpb::rtmp_load {

inline constexpr std::size_t kKeptOfMedia = 112;  // enough for a frame's mark
inline constexpr std::size_t kKeptOfOthers = 8'192;

/// A message as it went by.
struct Skimmed {
  rtmp::MessageType type{};
  std::uint32_t stream = 0;
  std::uint32_t timestamp = 0;
  std::uint32_t length = 0;
  std::string_view front;  // of its payload; lives until the next call of the skimmer

  [[nodiscard]] bool is_media() const {
    return type == rtmp::MessageType::kAudio || type == rtmp::MessageType::kVideo;
  }
};

class ChunkSkimmer {
 public:
  enum class Event : std::uint8_t {
    kNeedMore,  // all bytes were taken
    kBegun,     // the header of a message came: `message` has no front yet
    kMessage,   // it is whole
    kError,
  };
  /// Takes bytes off the front of `bytes`.
  Event next(std::string_view& bytes, Skimmed& message);
  [[nodiscard]] std::string_view why() const { return why_; }

 private:
  static constexpr std::size_t kMaxHeader = 18;

  struct ChunkStream {
    std::uint32_t id = 0;
    std::uint32_t timestamp = 0;
    std::uint32_t field = 0;  // the last header's timestamp or delta, format 3 repeats it
    std::uint32_t length = 0;
    std::uint32_t stream = 0;
    std::uint32_t received = 0;  // of the message that has begun
    rtmp::MessageType type{};
    bool extended = false;
    bool begun = false;
    std::string front;
  };

  /// Bytes of the header at the front of `bytes`, carried out; 0: not whole, or an error (why_).
  std::size_t read_header(std::string_view bytes, bool& begins);
  [[nodiscard]] std::size_t header_of(ChunkStream& stream, unsigned format, std::string_view rest,
                                      bool& begins);
  bool take_header(std::string_view& bytes, bool& begins);
  void take_payload(std::string_view& bytes);
  bool finish(Skimmed& message);
  void describe(Skimmed& message) const;
  ChunkStream* find(std::uint32_t id);

  std::vector<ChunkStream> streams_;
  ChunkStream* current_ = nullptr;  // whose chunk is being read
  std::uint32_t chunk_left_ = 0;    // of its payload
  std::uint32_t chunk_size_ = rtmp::kDefaultChunkSize;
  std::array<char, kMaxHeader> pending_{};  // the front of a header
  std::size_t pending_size_ = 0;
  std::string_view why_;
};

}  // namespace mpb::rtmp_load
