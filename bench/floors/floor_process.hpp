// What the floor programs share outside their hot path: options, the listener, worker processes
// and their end.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/unique_fd.hpp"
#include "common/config/option_line.hpp"
#include "common/io/endpoint.hpp"

namespace mpb::bench {

struct FloorOptions {
  Endpoint listen;
  int workers = 1;
  int acceptors = 1;
  bool hand_over_all = true;
};

inline constexpr std::string_view kFloorGroup = "Options";
inline constexpr Option<FloorOptions> kListenOption{
    {"listen", kFloorGroup, "ADDRESS", "127.0.0.1:0", "", "address; port 0 is a free one"},
    into<Value<parse_endpoint>, &FloorOptions::listen>};
inline constexpr Option<FloorOptions> kWorkersOption{
    {"workers", kFloorGroup, "N", "2", "", "1 to 256"},
    into<Whole<1, 256>, &FloorOptions::workers>};

/// Ends the process with `what` and errno's text on stderr.
[[noreturn]] void fail(const std::string& what);

/// Ends the program with code 2 on a bad command line, 0 after --help.
FloorOptions read_options(int argc, char** argv, const Program<FloorOptions>& program);
[[noreturn]] void fail_usage(const Program<FloorOptions>& program, const Error& error);

/// Listens (backlog 4096), raises the descriptor limit to its hard limit, and asks the kernel to
/// end this program when its parent ends.
UniqueFd start_floor(const FloorOptions& options);

/// Prints `listening ADDRESS:PORT` on stdout: the workers are there.
void announce(const UniqueFd& listener);

/// The worker processes; destroying it does not end them.
class Workers {
 public:
  /// Forks one; `body` runs in the child and must not return. The child is killed when this
  /// process ends in whatever way.
  void start(const std::function<void()>& body);
  /// Kills and reaps them all.
  void end();

 private:
  std::vector<int> pids_;
};

/// A signalfd(2) for SIGTERM, SIGINT and SIGCHLD: each of them ends a floor, since its workers
/// never end by themselves. Workers forked later inherit no blocked signal.
UniqueFd end_signals();
/// Waits for one of them; the program's exit code: 0, or 1 and a line on stderr when a worker
/// ended.
int wait_for_end(int signals);

/// The main function of a floor whose workers are all alike and need the listener only. `body` must
/// not return.
int run_floor(int argc, char** argv, const Program<FloorOptions>& program,
              const std::function<void(int slot, const UniqueFd& listener)>& body);

}  // namespace mpb::bench
