#include "broker/workers/quota_watch.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/unique_fd.hpp"
#include "common/io/descriptor_passing.hpp"
#include "common/process/descent.hpp"

namespace mpb {
namespace {

struct Closer {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

/// The number behind `name` in the text of a file in /proc; 0: it is not there.
std::uint64_t number_of(std::string_view text, std::string_view name) {
  const auto at = text.find(name);
  if (at == std::string_view::npos) return 0;
  std::string_view rest = text.substr(at + name.size());
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
  std::uint64_t number = 0;
  std::from_chars(rest.data(), rest.data() + rest.size(), number);
  return number;
}

}  // namespace

bool may_pass_no_descriptor() {
  std::array<int, 2> fds{-1, -1};
  constexpr int kType = SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
  if (::socketpair(AF_UNIX, kType, 0, fds.data()) != 0) return false;
  const UniqueFd sender(fds[0]);
  const UniqueFd receiver(fds[1]);
  char byte = 0;
  if (send_passing(sender.get(), {&byte, sizeof byte}, {fds.data(), 1}) < 0) {
    return errno == ETOOMANYREFS;
  }
  // Without a place for it the kernel closes the copy.
  ::recv(receiver.get(), &byte, sizeof byte, 0);
  return false;
}

QueuedDescriptors descriptors_queued_in(pid_t pid, ino_t except, DescriptorRange looked_at) {
  QueuedDescriptors queued;
  const std::unique_ptr<DIR, Closer> folder(::opendir(fmt::format("/proc/{}/fdinfo", pid).c_str()));
  if (!folder) queued.hidden = errno == EACCES || errno == EPERM;
  // A place in this folder is the number of a descriptor, after "." and "..".
  if (folder && looked_at.from != 0) ::seekdir(folder.get(), static_cast<long>(looked_at.from + 2));
  std::array<char, 1024> text{};
  for (std::size_t i = 0; folder && i < looked_at.most; ++i) {
    const dirent* entry = ::readdir(folder.get());
    if (entry == nullptr) break;
    const UniqueFd file(::openat(::dirfd(folder.get()), entry->d_name, O_RDONLY | O_CLOEXEC));
    const ssize_t size = file ? ::read(file.get(), text.data(), text.size()) : 0;
    if (size <= 0) continue;
    const std::string_view read(text.data(), static_cast<std::size_t>(size));
    if (number_of(read, "ino:") != except) queued.count += number_of(read, "scm_fds:");
  }
  return queued;
}

QueuedDescriptors descriptors_left_by(pid_t worker, ino_t except, DescriptorRange looked_at) {
  constexpr std::size_t kProcesses = 64;
  QueuedDescriptors all = descriptors_queued_in(worker, except, looked_at);
  const std::vector<pid_t> descendants = descendants_of(worker, kProcesses);
  looked_at.most /= std::max<std::size_t>(descendants.size(), 1);
  for (const pid_t pid : descendants) {
    const QueuedDescriptors more = descriptors_queued_in(pid, except, looked_at);
    all.count += more.count;
    all.hidden = all.hidden || more.hidden;
  }
  // Among so many they are as good as hidden.
  if (descendants.size() == kProcesses) all.hidden = true;
  return all;
}

std::optional<std::size_t> who_uses_up(std::span<const QueuedDescriptors> queued,
                                       std::uint64_t limit) {
  constexpr std::uint64_t kGoodPart = 8;  // of what may be in flight
  const auto most = std::max_element(
      queued.begin(), queued.end(), [](const auto& a, const auto& b) { return a.count < b.count; });
  if (most == queued.end()) return std::nullopt;
  const auto index = [&](auto place) { return static_cast<std::size_t>(place - queued.begin()); };
  if (most->count != 0 && most->count >= limit / kGoodPart) return index(most);
  const auto hides = [](const QueuedDescriptors& one) { return one.hidden; };
  const auto hider = std::find_if(queued.begin(), queued.end(), hides);
  if (hider != queued.end() && !std::all_of(queued.begin(), queued.end(), hides)) {
    return index(hider);
  }
  if (most->count == 0) return std::nullopt;
  return index(most);
}

}  // namespace mpb
