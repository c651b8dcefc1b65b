#include "tests/integration/harness/media.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <map>
#include <sstream>
#include <stdexcept>

#include "tests/integration/harness/processes.hpp"

namespace mpb::test {
namespace {

std::string program_in_path(const std::string& name) {
  for (const char* folder : {"/usr/bin/", "/usr/local/bin/", "/usr/sbin/"}) {
    std::string path = folder + name;
    if (std::filesystem::exists(path)) return path;
  }
  throw std::runtime_error(name + " is missing: tools/test installs it");
}

std::string unique_file(const TempFolder& folder, const std::string& ending) {
  static std::atomic<int> count{0};
  return folder.file("media" + std::to_string(++count) + ending);
}

std::unique_ptr<ChildProcess> start(const std::string& program, std::vector<std::string> arguments,
                                    const std::string& log,
                                    const std::string& output = "/dev/null") {
  ProgramStart child;
  child.program = program_in_path(program);
  child.arguments = std::move(arguments);
  child.output = output;
  child.errors = log;
  return std::make_unique<ChildProcess>(child);
}

/// Of a clip, at least: a player that cannot be told when to stop is stopped by what it got.
constexpr std::uint64_t kBytesPerSecond = 20'000;

/// Runs ffmpeg to its end and gives what it wrote to its standard output.
std::string run_ffmpeg(const TempFolder& folder, std::vector<std::string> arguments) {
  const std::string log = unique_file(folder, ".log");
  const std::string output = unique_file(folder, ".out");
  arguments.insert(arguments.begin(), {"-hide_banner", "-loglevel", "error", "-y", "-nostdin"});
  const auto child = start("ffmpeg", std::move(arguments), log, output);
  const std::string exit = child->wait_exit(60s);
  if (exit != "exit 0") throw std::runtime_error("ffmpeg: " + exit + ": " + read_file(log));
  return read_file(output);
}

std::string filter_of(Tint tint) {
  switch (tint) {
    case Tint::kRed:
      return "colorchannelmixer=gg=0:bb=0";
    case Tint::kGreen:
      return "colorchannelmixer=rr=0:bb=0";
    case Tint::kBlue:
      break;
  }
  return "colorchannelmixer=rr=0:gg=0";
}

}  // namespace

std::string make_clip(const TempFolder& folder, Tint tint, int seconds) {
  std::string file = unique_file(folder, ".flv");
  const std::string length = std::to_string(seconds);
  run_ffmpeg(folder,
             {"-f",      "lavfi",     "-i",       "testsrc2=s=192x144:r=25," + filter_of(tint),
              "-f",      "lavfi",     "-i",       "sine=frequency=440:sample_rate=44100",
              "-t",      length,      "-c:v",     "libx264",
              "-preset", "ultrafast", "-pix_fmt", "yuv420p",
              "-g",      "25",        "-bf",      "0",
              "-c:a",    "aac",       "-b:a",     "64k",
              file});
  return file;
}

Publisher::Publisher(const TempFolder& folder, const std::string& url, const std::string& clip,
                     const std::vector<std::string>& more)
    : log_(unique_file(folder, ".log")) {
  std::vector<std::string> arguments{"-hide_banner", "-nostdin", "-re",  "-stream_loop", "-1", "-i",
                                     clip,           "-c",       "copy", "-f",           "flv"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  arguments.push_back(url);
  process_ = start("ffmpeg", std::move(arguments), log_);
}

std::string Publisher::log() const {
  return read_file(log_);
}

Recorder::Recorder(const TempFolder& folder, const std::string& url, int seconds, Program program)
    : file_(unique_file(folder, ".flv")), log_(unique_file(folder, ".log")) {
  const std::string length = std::to_string(seconds);
  if (program == Program::kFfmpeg) {
    process_ = start("ffmpeg",
                     {"-hide_banner", "-nostdin", "-y", "-i", url, "-t", length, "-c", "copy",
                      "-flush_packets", "1", file_},
                     log_);
  } else {
    stop_at_ = kBytesPerSecond * static_cast<std::uint64_t>(seconds);
    process_ = start("rtmpdump", {"--live", "-r", url, "-o", file_}, log_);
  }
}

std::string Recorder::log() const {
  return read_file(log_);
}

bool Recorder::has(std::uint64_t bytes) const {
  std::error_code error;
  const auto size = std::filesystem::file_size(file_, error);
  return !error && size >= bytes;
}

bool Recorder::finished(Duration limit) {
  if (stop_at_ == 0) return process_->wait_exit(limit) == "exit 0";
  if (!eventually([this] { return has(stop_at_) || !process_->running(); }, limit)) return false;
  process_->signal(SIGINT);
  return process_->wait_exit(limit) != "running" && has(stop_at_);
}

std::vector<Packet> packets_of(const TempFolder& folder, const std::string& file) {
  std::vector<Packet> packets;
  std::istringstream lines(run_ffmpeg(
      folder, {"-i", file, "-map", "0", "-c", "copy", "-copyts", "-f", "framemd5", "-"}));
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.front() == '#') continue;
    std::replace(line.begin(), line.end(), ',', ' ');
    std::istringstream fields(line);
    Packet packet;
    std::int64_t pts = 0;
    std::int64_t duration = 0;
    std::int64_t size = 0;
    fields >> packet.stream >> packet.dts >> pts >> duration >> size >> packet.hash;
    packets.push_back(std::move(packet));
  }
  return packets;
}

std::string difference(const TempFolder& folder, const std::string& clip, const std::string& file) {
  std::map<int, std::vector<std::string>> wanted;
  std::map<int, std::vector<std::string>> got;
  for (Packet& packet : packets_of(folder, clip)) wanted[packet.stream].push_back(packet.hash);
  for (Packet& packet : packets_of(folder, file)) got[packet.stream].push_back(packet.hash);
  for (const auto& [stream, hashes] : wanted) {
    const auto& played = got[stream];
    const std::string which = "stream " + std::to_string(stream) + ": ";
    if (played.empty()) return which + "nothing came";
    const auto begin = std::find(hashes.begin(), hashes.end(), played.front());
    if (begin == hashes.end()) return which + "its first packet is not of the clip";
    auto at = static_cast<std::size_t>(begin - hashes.begin());
    for (std::size_t i = 0; i < played.size(); ++i, at = (at + 1) % hashes.size()) {
      if (played[i] != hashes[at]) {
        return which + "packet " + std::to_string(i) + " of " + std::to_string(played.size()) +
               " is not packet " + std::to_string(at) + " of the clip";
      }
    }
  }
  return {};
}

bool begins_with(const TempFolder& folder, const std::string& file, Tint tint) {
  const std::string pixel =
      run_ffmpeg(folder, {"-i", file, "-frames:v", "1", "-vf", "scale=1:1:flags=area", "-pix_fmt",
                          "rgb24", "-f", "rawvideo", "-"});
  if (pixel.size() < 3) return false;
  std::array<int, 3> rgb{};
  for (std::size_t i = 0; i < rgb.size(); ++i) rgb[i] = static_cast<unsigned char>(pixel[i]);
  const auto strongest = std::max_element(rgb.begin(), rgb.end()) - rgb.begin();
  return strongest == static_cast<int>(tint) && rgb[static_cast<std::size_t>(strongest)] > 40;
}

}  // namespace mpb::test
