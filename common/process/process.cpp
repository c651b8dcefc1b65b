#include "common/process/process.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <vector>

#include "common/io/signals.hpp"
#include "common/log/log.hpp"

namespace mpb {
namespace {

[[noreturn]] void tell_and_abort() {
  std::string text = "terminate called";
  try {
    if (std::current_exception()) throw;
  } catch (const std::exception& error) {
    text.append(": ").append(error.what());
  } catch (...) {
    text += ": not a std::exception";
  }
  tell(text);
  std::abort();
}

}  // namespace

void secure_standard_descriptors() {
  int fd = STDIN_FILENO;
  while (fd >= 0 && fd <= STDERR_FILENO) {
    fd = ::open("/dev/null", O_RDWR);
    // Where there is none: something that cannot be read or written holds the number, too.
    if (fd < 0) fd = ::open("/", O_PATH);
  }
  if (fd > STDERR_FILENO) ::close(fd);
}

void begin_service() {
  prepare_signals();
  secure_standard_descriptors();
  std::set_terminate(tell_and_abort);
}

void hide_from_others() {
  ::prctl(PR_SET_DUMPABLE, 0);
}

std::uint64_t raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    ::getrlimit(RLIMIT_NOFILE, &limit);
  }
  return limit.rlim_cur;
}

std::uint64_t raise_and_log_descriptor_limit() {
  const std::uint64_t limit = raise_descriptor_limit();
  log_info("limits")("nofile", limit)("clients_per_worker", client_descriptors(limit))(
      "help", "RLIMIT_NOFILE bounds the clients of one worker; raise the hard limit for more");
  return limit;
}

std::uint64_t most_descriptors_of_children() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  rlimit raised = limit;
  if (!(std::ifstream("/proc/sys/fs/nr_open") >> raised.rlim_max)) return limit.rlim_max;
  if (raised.rlim_max <= limit.rlim_max || ::setrlimit(RLIMIT_NOFILE, &raised) != 0) {
    return limit.rlim_max;
  }
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return raised.rlim_max;
}

std::uint64_t client_descriptors(std::uint64_t descriptor_limit) {
  constexpr std::uint64_t kReserve = 64;
  return descriptor_limit > 2 * kReserve ? descriptor_limit - kReserve : descriptor_limit / 2;
}

Error execute(const std::string& program, char* const* arguments) {
  std::vector<char*> argv{const_cast<char*>(program.c_str())};
  while (*arguments != nullptr) argv.push_back(*arguments++);
  argv.push_back(nullptr);
  ::execvp(program.c_str(), argv.data());
  return system_error("cannot execute " + program);
}

ProcessUsage read_process_usage(pid_t pid) {
  const std::string folder = "/proc/" + std::to_string(pid);
  ProcessUsage usage;
  // Since Linux 6.2 the size of the folder is the number of descriptors; counting takes long.
  struct stat info {};
  if (::stat((folder + "/fd").c_str(), &info) == 0) {
    usage.descriptors = static_cast<std::uint64_t>(info.st_size);
  }
  if (usage.descriptors == 0) {
    std::error_code ignored;
    for (std::filesystem::directory_iterator entry(folder + "/fd", ignored), end; entry != end;
         entry.increment(ignored)) {
      ++usage.descriptors;
    }
  }
  std::uint64_t pages = 0;
  std::ifstream memory(folder + "/statm");
  memory >> pages >> pages;  // the second field is the resident set
  usage.rss_bytes = pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  std::uint64_t nanoseconds = 0;
  std::ifstream schedule(folder + "/schedstat");
  schedule >> nanoseconds;
  usage.cpu = Duration{static_cast<std::int64_t>(nanoseconds / 1'000'000)};
  return usage;
}

}  // namespace mpb
