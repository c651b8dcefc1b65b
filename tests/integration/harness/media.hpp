// Real publishers and players of RTMP: ffmpeg and rtmpdump, and what they got.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/integration/harness/child_process.hpp"

namespace mpb::test {

/// A colour that tells one stream from another.
enum class Tint : std::uint8_t { kRed, kGreen, kBlue };

/// Makes an FLV file of moving pictures in one colour (H.264, 25 frames a second, a key frame each
/// second) and a tone (AAC) in `folder`; gives its path. No two of its frames are alike.
std::string make_clip(const TempFolder& folder, Tint tint, int seconds = 4);

/// ffmpeg that publishes a clip in real time, over and over, without encoding.
class Publisher {
 public:
  Publisher(const TempFolder& folder, const std::string& url, const std::string& clip,
            const std::vector<std::string>& more = {});
  [[nodiscard]] ChildProcess& process() { return *process_; }
  [[nodiscard]] std::string log() const;

 private:
  std::string log_;
  std::unique_ptr<ChildProcess> process_;
};

/// A player that writes what it gets to a file, as it comes, for `seconds` of media.
class Recorder {
 public:
  enum class Program : std::uint8_t { kFfmpeg, kRtmpdump };
  Recorder(const TempFolder& folder, const std::string& url, int seconds,
           Program program = Program::kFfmpeg);
  [[nodiscard]] const std::string& file() const { return file_; }
  [[nodiscard]] std::string log() const;
  [[nodiscard]] ChildProcess& process() { return *process_; }
  /// True once `bytes` have been written.
  [[nodiscard]] bool has(std::uint64_t bytes) const;
  /// True when it ended with success, within `limit`.
  bool finished(Duration limit = 60s);

 private:
  std::string file_;
  std::string log_;
  std::uint64_t stop_at_ = 0;  // bytes; 0: it stops by itself
  std::unique_ptr<ChildProcess> process_;
};

/// One packet of a file, as it was before decoding.
struct Packet {
  int stream = 0;  // 0: the first of the file
  std::int64_t dts = 0;
  std::string hash;  // of its bytes
};
std::vector<Packet> packets_of(const TempFolder& folder, const std::string& file);

/// What `file` must be if it is a stretch of `clip`, played over and over: its packets are the
/// clip's, in order and without a hole, for sound and picture each. Empty: it is; else what
/// differs.
std::string difference(const TempFolder& folder, const std::string& clip, const std::string& file);

/// True when the first picture of the file, which must be a key frame, has this colour.
bool begins_with(const TempFolder& folder, const std::string& file, Tint tint);

}  // namespace mpb::test
