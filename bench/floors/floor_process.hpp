// What both floor programs share outside their hot path: options, the listener, worker processes
// and their end.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <boost/program_options/options_description.hpp>

#include "common/base/unique_fd.hpp"

namespace mpb::bench {

struct FloorOptions {
  std::string listen = "127.0.0.1:0";
  int workers = 2;
};

/// Ends the process with `what` and errno's text on stderr.
[[noreturn]] void fail(const std::string& what);

inline constexpr int kOneProcess = 0;

/// Reads --listen, --workers, --help and `more`; ends the program with code 2 on a bad command
/// line, 0 after --help. `workers`: how many without --workers; kOneProcess: there is no such
/// option.
FloorOptions read_options(int argc, char** argv, const char* summary,
                          const boost::program_options::options_description& more, int workers = 2);

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

}  // namespace mpb::bench
