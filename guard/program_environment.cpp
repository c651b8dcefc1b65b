#include "guard/program_environment.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>

namespace mpb::guard {
namespace {

constexpr char kListenNames[] = "LISTEN_FDNAMES=";
char listen_pid[32];
char listen_count[32];
char listen_names[sizeof kListenNames + KeptDescriptors::kMaxNames];
char watchdog_pid[32];
char watchdog_time[48];
char notify_address[32];
char holder[] = "MPBROKER_HOLDER=guard";
char* const variables[] = {listen_pid,    listen_count,   listen_names, watchdog_pid,
                           watchdog_time, notify_address, holder};

bool is_replaced(const char* variable) {
  const std::size_t name = std::strcspn(variable, "=") + 1;
  for (const char* one : {"LISTEN_PID=", "LISTEN_FDS=", kListenNames, "WATCHDOG_PID=",
                          "WATCHDOG_USEC=", "NOTIFY_SOCKET=", "MPBROKER_HOLDER="}) {
    if (std::strlen(one) == name && std::strncmp(variable, one, name) == 0) return true;
  }
  return false;
}

}  // namespace

long number_in(const char* variable) {
  const char* value = std::getenv(variable);
  return value == nullptr ? 0 : std::strtol(value, nullptr, 10);
}

bool is_for_us(const char* pid_variable) {
  return std::getenv(pid_variable) == nullptr || number_in(pid_variable) == ::getpid();
}

ProgramEnvironment::ProgramEnvironment(char** own, std::int64_t watchdog_ms) {
  std::size_t count = 0;
  while (own[count] != nullptr) ++count;
  all_ = static_cast<char**>(std::calloc(count + std::size(variables) + 1, sizeof(char*)));
  if (all_ == nullptr) std::abort();
  char** next = std::copy(std::begin(variables), std::end(variables), all_);
  std::copy_if(own, own + count, next, [](const char* variable) { return !is_replaced(variable); });
  std::memcpy(listen_names, kListenNames, sizeof kListenNames);
  std::snprintf(watchdog_time, sizeof watchdog_time, "WATCHDOG_USEC=%lld",
                static_cast<long long>(watchdog_ms) * 1'000);
}

void ProgramEnvironment::set_notify_address(const sockaddr_un& address, socklen_t length) {
  const auto size = length - offsetof(sockaddr_un, sun_path) - 1;
  std::snprintf(notify_address, sizeof notify_address, "NOTIFY_SOCKET=@%.*s",
                static_cast<int>(size), address.sun_path + 1);
}

char** ProgramEnvironment::write(const KeptDescriptors& kept) {
  std::snprintf(listen_pid, sizeof listen_pid, "LISTEN_PID=%d", ::getpid());
  std::snprintf(watchdog_pid, sizeof watchdog_pid, "WATCHDOG_PID=%d", ::getpid());
  std::snprintf(listen_count, sizeof listen_count, "LISTEN_FDS=%zu", kept.count());
  kept.write_names(listen_names + sizeof kListenNames - 1);
  return all_;
}

}  // namespace mpb::guard
