#include "broker/succession/succession.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <set>
#include <string_view>

#include "common/io/foreign_descriptor.hpp"
#include "common/log/log.hpp"

namespace mpb {
namespace {

const std::string kControl = "mpb-control";
const std::string kState(kHeldState);
const std::string kTables = "mpb-tables";
constexpr std::string_view kChannelPrefix = "mpb-w";
constexpr std::string_view kPidfdPrefix = "mpb-p";
constexpr std::string_view kListenerPrefix = "mpb-listener.";
constexpr std::size_t kStateSize = 2 * (64UL << 20U);
/// Each half has room for all that tables may have, several times.
constexpr std::size_t kTablesSize = 2 * (256UL << 20U);
constexpr Duration kFirstWait{5};  // for the holder: the loop stands still for so long
constexpr Duration kPause{20};     // between two waits
constexpr int kMostTries = 16;     // then it is done without
constexpr int kEndLimit = 2'000;   // ms, for a process that was killed

ino_t inode_of(int descriptor) {
  struct stat status {};
  return ::fstat(descriptor, &status) == 0 ? status.st_ino : 0;
}

std::string listener_name(std::uint16_t number) {
  return fmt::format("{}{}", kListenerPrefix, number);
}
std::string channel_name(Slot slot, std::uint32_t generation) {
  return fmt::format("{}{}.{}", kChannelPrefix, slot, generation);
}
std::string pidfd_name(Slot slot, std::uint32_t generation) {
  return fmt::format("{}{}.{}", kPidfdPrefix, slot, generation);
}

}  // namespace

Succession::Succession(EventLoop& loop)
    : loop_(loop),
      store_(holder().has_value()),
      file_(kStateSize),
      tables_(kTablesSize),
      exits_(loop) {}

std::vector<PassedDescriptor> Succession::begin(std::vector<PassedDescriptor> passed) {
  std::vector<PassedDescriptor> others;
  for (PassedDescriptor& one : passed) {
    if (one.name.starts_with(kHeldPrefix)) {
      left_.insert_or_assign(one.name, std::move(one.descriptor));
    } else {
      others.push_back(std::move(one));
    }
  }
  if (!held()) return others;
  if (UniqueFd exits = take("mpb-exits")) (void)exits_.open(std::move(exits));
  take_state();
  take_tables();
  return others;
}

void Succession::take_state() {
  if (UniqueFd file = take(kState)) {
    const Status opened = file_.open(std::move(file));
    std::string why = opened ? std::string() : opened.error().text;
    if (opened) {
      pages_.emplace(file_.bytes());
      const auto text = pages_->read();
      const auto state =
          text ? decode_state(*text) : DecodeResult<BrokerState>::failure("nothing whole is in it");
      if (state) {
        predecessor_ = *state;
        return;
      }
      why = state.why();
    }
    log_error("succession.lost")("why", why)(
        "help",
        "the state that the broker before has left cannot be used: its workers are ended, and the "
        "service begins anew");
    if (opened) return;  // it is written anew
    store_.forget(kState);
  }
  if (const Status made = file_.make("mpb-state"); !made) {
    log_error("succession.none")("why", made.error().text);
    return;
  }
  pages_.emplace(file_.bytes());
  keep(kState, file_.descriptor());
}

/// Without the state that they belong to they are not used.
void Succession::take_tables() {
  UniqueFd file = predecessor_ ? take(kTables) : UniqueFd();
  const bool was_kept = file.valid();
  if (was_kept && tables_.open(std::move(file))) return;
  if (was_kept || left_.contains(kTables)) store_.forget(kTables);
  left_.erase(kTables);
  if (const Status made = tables_.make("mpb-tables"); !made) {
    log_error("succession.no_tables")("why", made.error().text);
    return;
  }
  keep(kTables, tables_.descriptor());
}

UniqueFd Succession::take(const std::string& name) {
  const auto found = left_.find(name);
  if (found == left_.end()) return {};
  UniqueFd taken = std::move(found->second);
  left_.erase(found);
  return taken;
}

UniqueFd Succession::take_control() {
  UniqueFd socket = take(kControl);
  if (socket) kept_[kControl] = inode_of(socket.get());
  return socket;
}

UniqueFd Succession::take_listener(std::uint16_t number) {
  const std::string name = listener_name(number);
  UniqueFd socket = take(name);
  if (socket) kept_[name] = inode_of(socket.get());
  return socket;
}

void Succession::drop_listeners() {
  std::erase_if(left_, [this](const auto& left) {
    if (!left.first.starts_with(kListenerPrefix)) return false;
    store_.forget(left.first);
    return true;
  });
}

std::optional<Succession::Process> Succession::take_process(Slot slot, std::uint32_t generation) {
  const std::string channel = channel_name(slot, generation);
  const std::string pidfd = pidfd_name(slot, generation);
  // With one of them alone it was never started: end_rest() ends it.
  if (!left_.contains(channel) || !left_.contains(pidfd)) return std::nullopt;
  return Process{take(channel), take(pidfd)};
}

/// Nobody is served yet: it may wait until they are gone, and hold no address any more.
void Succession::end_rest() {
  const auto is_process = [](const std::string& name) { return name.starts_with(kPidfdPrefix); };
  for (const auto& [name, descriptor] : left_) {
    if (!is_process(name)) continue;
    ::syscall(SYS_pidfd_send_signal, descriptor.get(), SIGKILL, nullptr, 0);
  }
  for (auto& [name, descriptor] : left_) {
    pollfd ended{descriptor.get(), POLLIN, 0};
    if (is_process(name)) ::poll(&ended, 1, kEndLimit);
    store_.forget(name);
    // In a channel's queue may be anything.
    if (name.starts_with(kChannelPrefix)) close_foreign(std::move(descriptor));
  }
  const bool any = !left_.empty();
  left_.clear();
  if (any) (void)store_.confirm(Duration{kEndLimit});
}

bool Succession::keep(const std::string& name, int descriptor) {
  const Status kept = store_.keep(name, descriptor);
  if (!kept) log_error("succession.not_kept")("name", name)("why", kept.error().text);
  return kept.has_value();
}

void Succession::keep_socket(const std::string& name, int socket) {
  const ino_t inode = inode_of(socket);
  ino_t& kept = kept_[name];
  if (kept == inode) return;
  if (kept != 0) store_.forget(name);
  kept = keep(name, socket) ? inode : 0;
  note_change();
}

void Succession::keep_control(int socket) {
  if (held() && socket >= 0) keep_socket(kControl, socket);
}

void Succession::keep_listeners(const std::map<std::uint16_t, int>& sockets) {
  if (!held()) return;
  std::set<std::string> names{kControl};
  for (const auto& [number, socket] : sockets) {
    const std::string name = listener_name(number);
    names.insert(name);
    keep_socket(name, socket);
  }
  std::erase_if(kept_, [&](const auto& kept) {
    if (names.contains(kept.first)) return false;
    store_.forget(kept.first);
    note_change();
    return true;
  });
}

void Succession::keep_process(Slot slot, std::uint32_t generation, int channel, int pidfd) {
  keep(channel_name(slot, generation), channel);
  keep(pidfd_name(slot, generation), pidfd);
  note_change();
}

void Succession::forget_process(Slot slot, std::uint32_t generation) {
  store_.forget(channel_name(slot, generation));
  store_.forget(pidfd_name(slot, generation));
  note_change();
}

void Succession::write(const BrokerState& state) {
  changed_ = false;
  if (!pages_ || pages_->write(encode(state))) return;
  BrokerState shorter = state;
  shorter.vhosts.clear();
  shorter.pins.clear();
  const bool written = pages_->write(encode(shorter));
  if (!std::exchange(too_long_, true)) {
    log_error("succession.too_long")("written", written)(
        "why", "what mpctl has changed has no room in the state: it would not outlive a crash");
  }
}

void Succession::when_kept(std::function<void()> action) {
  if (!held()) return action();
  waiting_.push_back(std::move(action));
  loop_.skip_wait();  // this may be between turns
}

void Succession::end_turn() {
  if (waiting_.empty() || paused_) return;
  const Duration limit = kFirstWait * (1 << std::min(tries_ / 4, 3));
  if (const Status done = store_.confirm(limit); !done && ++tries_ < kMostTries) {
    return retry(done.error());
  } else if (!done) {
    log_error("succession.unconfirmed")("why", done.error().text)(
        "help", "workers are started all the same: should mpbroker die, these may end with it");
  }
  tries_ = 0;
  for (const auto& action : std::exchange(waiting_, {})) action();
}

void Succession::retry(const Error& why) {
  log_debug("succession.wait")("why", why.text);
  paused_ = true;
  loop_.after(kPause, [this] { paused_ = false; });
}

}  // namespace mpb
