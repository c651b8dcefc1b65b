#include "tests/integration/harness/rtmp_load.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <csignal>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "tests/integration/harness/processes.hpp"

namespace mpb::test {
namespace {

std::string next_name(const TempFolder& folder) {
  static std::atomic<int> count{0};
  return folder.file("mprtmp" + std::to_string(++count));
}

}  // namespace

RtmpLoad::RtmpLoad(const TempFolder& folder, std::uint16_t port,
                   const std::vector<std::string>& arguments) {
  const std::string name = next_name(folder);
  json_ = name + ".json";
  log_ = name + ".log";
  ProgramStart start;
  start.program = program_path("mprtmp");
  start.arguments = {"127.0.0.1", std::to_string(port), "--hold", "1h", "--json", json_};
  start.arguments.insert(start.arguments.end(), arguments.begin(), arguments.end());
  start.errors = log_;
  process_ = std::make_unique<ChildProcess>(start);
}

bool RtmpLoad::settled(Duration limit) {
  const auto holding = [this] { return read_file(log_).find("holding") != std::string::npos; };
  return eventually([&] { return holding() || !process_->running(); }, limit) && holding();
}

void RtmpLoad::stop(Duration limit) {
  process_->signal(SIGINT);
  const std::string exit = process_->wait_exit(limit);
  boost::system::error_code error;
  const boost::json::value report = boost::json::parse(read_file(json_), error);
  if (error || !report.is_object()) {
    ADD_FAILURE() << "mprtmp gave no report: " << exit << "\n" << read_file(log_);
    return;
  }
  report_ = report.as_object();
}

std::int64_t RtmpLoad::number(std::string_view path) const {
  const boost::json::object* object = &report_;
  while (true) {
    const auto dot = path.find('.');
    const boost::json::value* value = object->if_contains(path.substr(0, dot));
    if (value == nullptr) throw std::runtime_error("mprtmp reports no " + std::string(path));
    if (dot == std::string_view::npos) return std::llround(value->to_number<double>());
    object = &value->as_object();
    path.remove_prefix(dot + 1);
  }
}

std::string RtmpLoad::complaint() const {
  for (const char* path : {"publishers.lost", "players.lost", "players.wrong", "players.unfinished",
                           "video.lost", "audio.lost", "video.duplicated", "video.out_of_order",
                           "began_without_key", "backward_timestamps"}) {
    if (number(path) != 0) {
      return std::string(path) + " is " + std::to_string(number(path)) + "\n" +
             boost::json::serialize(report_);
    }
  }
  return number("players.served") > 0 ? std::string() : "no player was served";
}

Duration RtmpLoad::longest_pause() const {
  const std::chrono::microseconds pause(number("latency_us.pause.max") -
                                        number("latency_us.send_lateness.max"));
  return std::chrono::duration_cast<Duration>(pause);
}

}  // namespace mpb::test
