// A worker gives up what it does not need: files and other processes before it has a second thread,
// system calls, in all threads, when it is ready. For good. What the kernel does not know is left
// out (see missing_for_sandbox in common/process/confinement.hpp); what fails although it does is
// an error.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/error.hpp"
#include "common/config/settings.hpp"
#include "common/process/landlock.hpp"
#include "common/process/syscall_filter.hpp"
#include "mpbroker/worker.hpp"

namespace mpb {

/// Of a worker under a broker, in steps: a zygote takes the first ones for all its workers.
class WorkerConfinement {
 public:
  /// This process gives up its rights over others. `needs`: of all that its program has handlers
  /// for; what they name must be there.
  static Result<WorkerConfinement> make(const Needs& needs);
  /// A zygote gives up the calls that none of its workers needs, nor it itself, and makes ready
  /// what each of them gives up besides.
  [[nodiscard]] Status give_up_calls_of_all(const Needs& needs);
  /// This process gives up its files.
  [[nodiscard]] Status give_up_files();
  /// At last its calls; `needs`: of the handlers whose clients it serves.
  [[nodiscard]] Status give_up_calls(const Needs& needs) const;

 private:
  std::optional<landlock::Ruleset> rules_;  // unset: the kernel has none, or it was applied
  // What each worker of a zygote lacks, by kind_of() what it needs. Empty: it inherits nothing.
  std::vector<std::vector<sock_filter>> rests_;
};
/// Of a single process that has opened its listeners, which takes looking at others where one
/// cannot be had. A thread that the log has by then is left out. It reads its configuration again,
/// opens the paths of its unix listeners again and tells the service manager of both.
Status confine_single_process(const Needs& needs, std::span<const ListenerSettings> listeners);

/// `needs`: of the handlers whose clients it serves.
Status confine_calls(const Needs& needs);
/// The paths that looking names up takes, if `etc` is /etc: that folder, and those of files that
/// its symbolic links lead to. Folders, for the files are replaced while workers run and rules for
/// them would hold for what is gone; only of a folder below / (/run, /root) it is the file.
std::vector<std::string> paths_of_names(const std::filesystem::path& etc);
/// What a single process needs besides its handlers.
Needs needs_of_single_process();

}  // namespace mpb
