#include "broker/workers/trespass.hpp"

#include <cstring>
#include <utility>

#include "common/log/log.hpp"

namespace mpb {
namespace {

constexpr RateLimit kLines{10, Duration{1'000}};
constexpr std::string_view kNotForWorkers =
    R"({"ok":false,"error":"no permission: the control socket is not for workers, nor for what )"
    R"(they have started"})"
    "\n";
constexpr std::string_view kWhoAsks =
    R"({"ok":false,"error":"no permission: who connected to the control socket must be there while )"
    R"(it asks"})"
    "\n";

/// By RLIMIT_ number.
std::string_view name_of_limit(std::size_t number) {
  constexpr std::array<std::string_view, RLIM_NLIMITS> kNames{
      "CPU",     "FSIZE", "DATA",  "STACK",      "CORE",     "RSS",  "NPROC",  "NOFILE",
      "MEMLOCK", "AS",    "LOCKS", "SIGPENDING", "MSGQUEUE", "NICE", "RTPRIO", "RTTIME"};
  return kNames[number];
}

rlimit read_limit(std::size_t number) {
  rlimit limit{};
  ::getrlimit(static_cast<__rlimit_resource>(number), &limit);
  return limit;
}

}  // namespace

Trespass::Trespass(const EventLoop& loop, const Kinship& kinship, Eject eject)
    : loop_(loop), kinship_(kinship), eject_(std::move(eject)) {
  for (std::size_t i = 0; i < limits_.size(); ++i) limits_[i] = read_limit(i);
}

bool Trespass::heeds(const Signal& signal) {
  pid_t worker = 0;
  const bool kin = signal.told && kinship_.of(signal.sender, &worker) == Kin::kWorker;
  if (signal.told && !kin) return true;
  if (signals_.ready(loop_.now(), kLines)) {
    const std::uint32_t more = signals_.take(loop_.now(), kLines);
    LogLine line(LogLevel::kError, "signal.ignored");
    line("signal", ::sigabbrev_np(signal.number));
    if (kin) line("pid", signal.sender);
    line("suppressed", more)("why", kin ? "a worker sent it, or what a worker has started"
                                        : "its sender does not say who it is: use kill(2)");
    return false;
  }
  signals_.hold_back();
  if (kin) eject_(worker, "it sends signals to mpbroker");
  return false;
}

std::string_view Trespass::refuse_peer(int socket) {
  const Kin kin = kinship_.of_peer(socket);
  if (kin == Kin::kStranger) return {};
  if (peers_.ready(loop_.now(), kLines)) {
    const std::uint32_t more = peers_.take(loop_.now(), kLines);
    log_error("control_refused")("suppressed", more)(
        "why", kin == Kin::kWorker ? "a worker has connected, or what a worker has started"
                                   : "who connected has ended, or hides");
  } else {
    peers_.hold_back();
  }
  return kin == Kin::kWorker ? kNotForWorkers : kWhoAsks;
}

void Trespass::watch_limits() {
  for (std::size_t i = 0; i < limits_.size(); ++i) {
    const rlimit now = read_limit(i);
    const rlimit before = std::exchange(limits_[i], now);
    if (now.rlim_cur >= before.rlim_cur && now.rlim_max >= before.rlim_max) continue;
    if (!lowered_.ready(loop_.now(), kLines)) {
      lowered_.hold_back();
      continue;
    }
    const std::uint32_t more = lowered_.take(loop_.now(), kLines);
    log_error("limits.lowered")("limit", name_of_limit(i))("soft", now.rlim_cur)(
        "hard", now.rlim_max)("suppressed", more)(
        "help",
        "somebody has lowered mpbroker's limits (prlimit(2)): restart it, and give workers "
        "another user");
  }
}

}  // namespace mpb
