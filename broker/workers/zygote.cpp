#include "broker/workers/zygote.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <string>
#include <utility>

#include "broker/workers/descriptor_plan.hpp"
#include "proto/channel/encode.hpp"

namespace mpb {
namespace {

constexpr std::size_t kMaxQueued = 2 * ForkRequests::kMost;
constexpr Duration kReadFirst{100};   // see watch_for_overdue
constexpr Duration kEndGrace{1'000};  // from the end of the channel to that of the process

}  // namespace

std::string_view to_string(ZygoteState state) {
  switch (state) {
    case ZygoteState::kOff:
      return "off";
    case ZygoteState::kStarting:
      return "starting";
    case ZygoteState::kReady:
      return "ready";
    case ZygoteState::kBackoff:
      return "backoff";
    case ZygoteState::kDeclined:
      return "declined";
  }
  return "?";
}

Zygote::Zygote(EventLoop& loop, EventLog& events, std::function<bool(pid_t)> is_newborn)
    : loop_(loop), events_(events), is_newborn_(std::move(is_newborn)) {}

Zygote::~Zygote() {
  disarm(timer_);
  disarm(overdue_timer_);
}

void Zygote::run(Plan plan) {
  plan_ = std::move(plan);
  can_fork_ = false;
  restart_.forgive();
  end("the configuration was read again");
  state_ = ZygoteState::kBackoff;
  start_again_ = child_ != nullptr;
  if (!child_) start();
}

void Zygote::stop() {
  state_ = ZygoteState::kOff;
  start_again_ = false;
  disarm(timer_);
  end("it is not wanted");
}

void Zygote::abandon() {
  (void)requests_.take_all();
  stop();
}

void Zygote::start() {
  disarm(timer_);
  state_ = ZygoteState::kStarting;
  started_ = Clock::now();
  was_ready_ = false;
  ended_.clear();
  if (!has_descriptors_for(kDescriptorsToStart + kDescriptorsForControl)) {
    return restart_later("no descriptors for it");
  }
  auto pair = make_channel_pair();
  if (!pair) return restart_later(pair.error().text);
  ChannelHandler& handler = *this;
  channel_ = std::make_unique<Channel>(loop_, std::move(pair->first), handler, kMaxQueued);
  if (const Status opened = channel_->open(); !opened) return restart_later(opened.error().text);
  auto child = Child::spawn(loop_, plan_.program, pair->second,
                            [this](const ExitStatus& status) { on_exited(status); });
  if (!child) return restart_later(child.error().text);
  child_ = std::move(*child);
  arm(timer_, plan_.start_limit,
      [this] { arm(timer_, kReadFirst, [this] { end("it has not said that it can fork"); }); });
}

bool Zygote::can_fork(const std::optional<Credentials>& credentials) const {
  return state_ == ZygoteState::kReady && !requests_.full() && credentials == plan_.program.run_as;
}

void Zygote::fork(Slot slot, const UniqueFd& channel, ForkDone done) {
  std::string datagram;
  channel::encode(datagram, channel::Fork{requests_.add(Clock::now(), std::move(done)), slot});
  watch_for_overdue();
  if (const Status sent = channel_->send(datagram, channel.get()); !sent) end(sent.error().text);
}

void Zygote::watch_for_overdue() {
  const auto due = requests_.due();
  if (!due || overdue_timer_) return;
  const Duration left = std::chrono::ceil<Duration>(*due - Clock::now());
  arm(overdue_timer_, std::max(left, Duration{0}), [this] {
    // After a pause of this process the answer may be there, and is read before.
    arm(overdue_timer_, kReadFirst, [this] {
      const auto oldest = requests_.due();
      if (oldest && *oldest <= Clock::now()) return end("hung: it has not answered in time");
      watch_for_overdue();
    });
  });
}

void Zygote::end(std::string_view why) {
  if (channel_) channel_->close();
  if (child_) child_->signal(SIGKILL);
  ended_ = why;
  fail_requests(why);
}

void Zygote::fail_requests(std::string_view why) {
  if (state_ != ZygoteState::kOff) state_ = ZygoteState::kBackoff;
  for (const ForkDone& done : requests_.take_all()) done(unavailable_error(std::string(why)));
}

void Zygote::on_exited(const ExitStatus& status) {
  const std::string why = ended_.empty() ? status.to_string() : ended_;
  // One that was killed by somebody else, or could not be begun, has not said what it is.
  const bool spoke = status.not_begun.empty() && (status.signal == 0 || !ended_.empty());
  fail_requests(why);
  channel_.reset();
  child_.reset();
  if (state_ == ZygoteState::kOff) return;
  if (std::exchange(start_again_, false)) return start();
  if (can_fork_ || plan_.persist || !spoke) return restart_later(why);
  disarm(timer_);
  state_ = ZygoteState::kDeclined;
  events_.emit(LogLevel::kInfo, "zygote",
               {{"state", to_string(state_)},
                {"why", why},
                {"help", "workers are started by exec; spawn = exec does without the trial"}});
}

void Zygote::restart_later(std::string_view why) {
  channel_.reset();
  const auto ran = std::chrono::duration_cast<Duration>(Clock::now() - started_);
  const Duration delay = restart_.on_exit({was_ready_, false, ran}, random_).delay;
  state_ = ZygoteState::kBackoff;
  events_.emit(LogLevel::kWarning, "zygote",
               {{"state", to_string(state_)}, {"why", why}, {"in", delay}});
  arm(timer_, delay, [this] { start(); });
}

void Zygote::on_channel_broken(const Error& why) {
  if (why.kind != ErrorKind::kUnavailable) return end(why.text);
  // The usual sign of a process that ends.
  fail_requests("it has ended");
  arm(timer_, kEndGrace, [this] { end("it has closed its channel"); });
}

void Zygote::on_datagram(Datagram& datagram) {
  const auto message = channel::decode(datagram.bytes);
  std::string_view wrong = message ? std::string_view() : message.why();
  if (wrong.empty() && (datagram.fd || datagram.descriptor_lost)) {
    wrong = "a descriptor with a message that has none";
  }
  if (wrong.empty()) wrong = handle(*message);
  if (!wrong.empty()) end(wrong);
}

std::string_view Zygote::handle(const channel::Message& message) {
  if (const auto* forked = std::get_if<channel::Forked>(&message)) return handle_forked(*forked);
  const auto* ready = std::get_if<channel::CanFork>(&message);
  if (ready == nullptr) return "a message that no zygote sends";
  if (state_ != ZygoteState::kStarting) return "a second CanFork";
  if (ready->version != channel::kVersion) return "a CanFork for a version that was not offered";
  disarm(timer_);
  state_ = ZygoteState::kReady;
  can_fork_ = was_ready_ = true;
  events_.emit(LogLevel::kInfo, "zygote", {{"state", to_string(state_)}, {"pid", pid()}});
  return {};
}

std::string_view Zygote::handle_forked(const channel::Forked& answer) {
  const auto pid = static_cast<pid_t>(answer.pid);
  if (answer.pid != 0 && !is_newborn_(pid)) return "a Forked of something else than its child";
  const ForkDone done = requests_.take(answer.request, Clock::now());
  if (!done) return "a Forked that nobody asked for";
  if (answer.pid == 0) {
    errno = static_cast<int>(answer.error);
    done(system_error("fork of the zygote"));
    return {};
  }
  ++forked_;
  done(pid);
  return {};
}

void Zygote::arm(Timer& timer, Duration delay, std::function<void()> action) {
  disarm(timer);
  timer = loop_.after(delay, [&timer, run = std::move(action)] {
    timer.reset();
    run();
  });
}

void Zygote::disarm(Timer& timer) {
  if (timer) loop_.cancel(*timer);
  timer.reset();
}

}  // namespace mpb
