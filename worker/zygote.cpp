#include "worker/zygote.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/single_threaded.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/unique_fd.hpp"
#include "common/io/descriptor_passing.hpp"
#include "common/log/log.hpp"
#include "proto/channel/encode.hpp"

namespace mpb {
namespace {

constexpr int kChannelFd = 3;
constexpr std::size_t kMostBytes = 256;  // of a datagram: a Fork is shorter

/// Where the C library keeps the number of this thread, which the kernel then writes in the child:
/// else its locks would know the thread by the zygote's number. Null: the kernel does not tell.
pid_t* thread_number() {
  pid_t* address = nullptr;
  if (::prctl(PR_GET_TID_ADDRESS, &address) != 0 || address == nullptr) return nullptr;
  return *address == static_cast<pid_t>(::syscall(SYS_gettid)) ? address : nullptr;
}

/// Beside standard input, output and error, the channel and the folder itself.
bool has_other_descriptors() {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc/self/fd"), &::closedir);
  if (!folder) return true;
  while (const dirent* entry = ::readdir(folder.get())) {
    const long fd = std::strtol(entry->d_name, nullptr, 10);
    if (fd > kChannelFd && fd != ::dirfd(folder.get())) return true;
  }
  return false;
}

/// Empty: its children would lack nothing that other workers have.
std::string_view why_not(const pid_t* thread) {
  if (thread == nullptr) return "the kernel has no PR_GET_TID_ADDRESS (CONFIG_CHECKPOINT_RESTORE)";
  if (!__libc_single_threaded) return "the program has started threads before worker_main";
  if (has_other_descriptors()) return "the program has opened files or sockets before worker_main";
  return {};
}

[[noreturn]] void decline(std::string_view why) {
  tell(fmt::format("worker program: cannot be a zygote: {}", why));
  ::_exit(0);
}

/// fork(2), but that the child is the parent's: the broker waits for it. Handlers of
/// pthread_atfork(3) do not run. clone3(2) is not let through by the sandbox.
pid_t fork_for_parent(pid_t* thread) {
  constexpr unsigned long kFlags = CLONE_PARENT | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
#if defined(__x86_64__)
  return static_cast<pid_t>(::syscall(SYS_clone, kFlags, nullptr, nullptr, thread, 0UL));
#elif defined(__aarch64__)
  return static_cast<pid_t>(::syscall(SYS_clone, kFlags, nullptr, nullptr, 0UL, thread));
#else
  errno = ENOSYS;
  return -1;
#endif
}

/// MPBROKER_SLOT=... of the environment, whose number each worker overwrites: it need not copy the
/// environment.
class SlotVariable {
 public:
  void place() { ::putenv(text_.data()); }
  void set(std::uint16_t slot) { *fmt::format_to(text_.data() + kName.size(), "{}", slot) = '\0'; }

 private:
  static constexpr std::string_view kName = "MPBROKER_SLOT=";
  std::array<char, 24> text_{"MPBROKER_SLOT="};
};
SlotVariable slot_variable;

/// What fork(2) and the program's start would have done.
void become_worker(int channel, std::uint16_t slot, void* robust_list, std::size_t robust_size) {
  ::syscall(SYS_set_robust_list, robust_list, robust_size);
  ::dup2(channel, kChannelFd);
  ::syscall(SYS_close_range, kChannelFd + 1, ~0U, 0);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // as begin_descent; its mark was inherited
  slot_variable.set(slot);
}

void send(const std::string& datagram) {
  if (send_passing(kChannelFd, datagram, {}) < 0) ::_exit(0);
}

/// Waits for the broker's next word. False: the broker is gone.
bool receive(std::array<char, kMostBytes>& buffer, std::string_view& bytes, UniqueFd& fd) {
  iovec part{buffer.data(), buffer.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t size = 0;
  do size = ::recvmsg(kChannelFd, &header, MSG_CMSG_CLOEXEC);
  while (size < 0 && errno == EINTR);
  if (size <= 0) return false;
  bytes = {buffer.data(), static_cast<std::size_t>(size)};
  take_passed(header, [&fd](UniqueFd passed) { fd = std::move(passed); });
  return true;
}

}  // namespace

bool is_zygote_wanted() {
  return std::getenv("MPBROKER_ZYGOTE") != nullptr;
}

Result<WorkerConfinement> be_zygote(const std::function<Result<WorkerConfinement>()>& prepare) {
  for (const char* own : {"MPBROKER_ZYGOTE", "LD_BIND_NOW"}) ::unsetenv(own);
  slot_variable.place();
  pid_t* const thread = thread_number();
  if (const auto why = why_not(thread); !why.empty()) decline(why);
  auto confinement = prepare();
  if (!confinement) decline(confinement.error().text);
  void* robust_list = nullptr;
  std::size_t robust_size = 0;
  ::syscall(SYS_get_robust_list, 0, &robust_list, &robust_size);
  // Both ends of a channel begin so that no call waits. Here there is nothing else to wait for.
  ::fcntl(kChannelFd, F_SETFL, ::fcntl(kChannelFd, F_GETFL) & ~O_NONBLOCK);
  std::string out;
  channel::encode(out, channel::CanFork{});
  send(out);
  std::array<char, kMostBytes> buffer{};
  std::string_view bytes;
  UniqueFd channel;
  while (receive(buffer, bytes, channel)) {
    const auto message = channel::decode(bytes);
    const auto* request = message ? std::get_if<channel::Fork>(&*message) : nullptr;
    if (request == nullptr) ::_exit(1);
    channel::Forked answer{request->request};
    if (!channel) {
      answer.error = EMFILE;
    } else if (const pid_t pid = fork_for_parent(thread); pid == 0) {
      const Status confined = confinement->give_up_files();
      become_worker(channel.release(), request->slot, robust_list, robust_size);
      if (!confined) return confined.error();
      return confinement;
    } else {
      pid > 0 ? answer.pid = static_cast<std::uint32_t>(pid)
              : answer.error = static_cast<std::uint32_t>(errno);
    }
    channel.reset();
    out.clear();
    channel::encode(out, answer);
    send(out);
  }
  ::_exit(0);
}

}  // namespace mpb
