// Starting programs of the build and seeing them end.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tests/integration/harness/timing.hpp"

namespace mpb::test {

/// A program of this build: "mpbroker", "mpctl", ...
std::string program_path(const std::string& name);

struct ProgramStart {
  std::string program;  // a path
  std::vector<std::string> arguments;
  std::vector<std::string> environment;  // "NAME=value", besides our own
  std::string output = "/dev/null";      // files that are appended to
  std::string errors = "/dev/null";
  std::optional<rlim_t> descriptors;  // soft and hard limit
  std::vector<int> inherited;         // become 3, 4, ... and LISTEN_FDS says so (sd_listen_fds(3))
  std::function<void()> before_exec;  // called in the new process, last of all
};

/// A child of this process; killed, if it runs still, and reaped when destroyed. It is killed, too,
/// when this process dies; its own children are not.
class ChildProcess {
 public:
  explicit ChildProcess(const ProgramStart& start);
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();

  [[nodiscard]] pid_t pid() const { return pid_; }
  void signal(int number) const;
  /// "exit 0", "signal 9", or "running" when it has not ended within `limit` (scaled).
  std::string wait_exit(Duration limit);
  bool running() { return wait_exit(0ms) == "running"; }

 private:
  pid_t pid_ = -1;
  std::string exit_;  // empty: has not ended
};

struct Outcome {
  std::string exit;
  std::string out;
  std::string err;
};
/// Runs a program of this build to its end, which must come within `limit` (scaled).
Outcome run(const std::string& program, std::vector<std::string> arguments,
            Duration limit = kPatience);

/// A folder of its own; removed with all in it.
class TempFolder {
 public:
  TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder();
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }
  /// Writes a file and returns its path.
  std::string write(const std::string& name, const std::string& text, unsigned mode = 0644) const;

 private:
  std::string path_;
};

}  // namespace mpb::test
