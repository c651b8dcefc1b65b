#include "guard/system.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace mpb::guard {
namespace {

constexpr char kOomScore[] = "/proc/self/oom_score_adj";
char oom_score[16];
std::size_t oom_score_size = 0;
rlimit descriptors{};
pid_t strangers[32];

/// With a zero behind; 0: it cannot be read.
std::size_t read_file(const char* path, char* text, std::size_t room) {
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  const ssize_t size = ::read(file, text, room - 1);
  ::close(file);
  if (size <= 0) return 0;
  text[size] = '\0';
  return static_cast<std::size_t>(size);
}

void write_oom_score(const char* text, std::size_t size) {
  const int file = ::open(kOomScore, O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  [[maybe_unused]] const ssize_t written = ::write(file, text, size);
  ::close(file);
}

/// 0: it is gone, or /proc is not there.
pid_t parent_of(pid_t pid) {
  char path[32];
  char text[512];
  std::snprintf(path, sizeof path, "/proc/%d/stat", pid);
  if (read_file(path, text, sizeof text) == 0) return 0;
  const char* name_end = std::strrchr(text, ')');  // what is before may have anything in it
  int parent = 0;
  return name_end != nullptr && std::sscanf(name_end + 1, " %*c %d", &parent) == 1 ? parent : 0;
}

}  // namespace

std::int64_t now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000 + now.tv_nsec / 1'000'000;
}

void tell(const char* level, const char* fields, ...) {
  char line[512];
  std::size_t size = 0;
  if (std::getenv("JOURNAL_STREAM") == nullptr) {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    std::tm local{};
    ::localtime_r(&now.tv_sec, &local);
    char zone[8];
    std::strftime(zone, sizeof zone, "%z", &local);  // +0100
    size = std::strftime(line, sizeof line, "time=%Y-%m-%dT%H:%M:%S", &local);
    size += static_cast<std::size_t>(std::snprintf(line + size, sizeof line - size,
                                                   ".%03ld%.3s:%s level=%s ",
                                                   now.tv_nsec / 1'000'000, zone, zone + 3, level));
  }
  size +=
      static_cast<std::size_t>(std::snprintf(line + size, sizeof line - size, "program=mpguard "));
  std::va_list values;
  va_start(values, fields);
  const int more = std::vsnprintf(line + size, sizeof line - size - 1, fields, values);
  va_end(values);
  if (more > 0) size = std::strlen(line);
  line[size++] = '\n';
  pollfd output{STDERR_FILENO, POLLOUT, 0};
  if (::poll(&output, 1, 0) != 1 || (output.revents & POLLOUT) == 0) return;
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line, size);
}

void remember_strangers() {
  char path[64];
  char text[512];
  std::snprintf(path, sizeof path, "/proc/self/task/%d/children", ::getpid());
  if (read_file(path, text, sizeof text) == 0) return;
  char* next = text;
  for (pid_t& stranger : strangers) {
    stranger = static_cast<pid_t>(std::strtol(next, &next, 10));
  }
}

bool is_descendant(pid_t pid) {
  constexpr int kMostDeep = 64;
  const pid_t self = ::getpid();
  for (int depth = 0; depth < kMostDeep && pid > 1; ++depth) {
    for (const pid_t stranger : strangers) {
      if (pid == stranger) return false;
    }
    pid = parent_of(pid);
    if (pid == self) return true;
  }
  return false;
}

void raise_descriptor_limit() {
  ::getrlimit(RLIMIT_NOFILE, &descriptors);
  rlimit raised = descriptors;
  raised.rlim_cur = raised.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &raised);
}

void restore_descriptor_limit() {
  ::setrlimit(RLIMIT_NOFILE, &descriptors);
}

void lower_oom_score() {
  constexpr char kWanted[] = "-900";
  oom_score_size = read_file(kOomScore, oom_score, sizeof oom_score);
  if (oom_score_size > 0) write_oom_score(kWanted, sizeof kWanted - 1);
}

void restore_oom_score() {
  if (oom_score_size > 0) write_oom_score(oom_score, oom_score_size);
}

}  // namespace mpb::guard
