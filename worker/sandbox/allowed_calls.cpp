#include "worker/sandbox/allowed_calls.hpp"

#include <asm/ioctls.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/sockios.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>

#include "common/process/forbidden_calls.hpp"

namespace mpb {
namespace {

constexpr std::uint32_t kSocketType = 0xf;  // the rest of socket(2)'s type are flags
constexpr std::uint32_t kAnyBit = UINT32_MAX;
constexpr int kLandlockRestrictSelf = 446;  // later than some kernel headers

/// Moving bytes, waiting, and asking descriptors.
void allow_descriptors(CallRules& rules) {
  rules.allow({SYS_read,
               SYS_write,
               SYS_readv,
               SYS_writev,
               SYS_pread64,
               SYS_pwrite64,
               SYS_preadv,
               SYS_pwritev,
               SYS_preadv2,
               SYS_pwritev2,
               SYS_close,
               SYS_close_range,
               SYS_dup,
               SYS_dup3,
               SYS_pipe2,
               SYS_lseek,
               SYS_sendfile,
               SYS_splice,
               SYS_tee,
               SYS_vmsplice,
               SYS_copy_file_range,
               SYS_fsync,
               SYS_fdatasync,
               SYS_ftruncate,
               SYS_fallocate,
               SYS_fadvise64,
               SYS_flock,
               SYS_epoll_create1,
               SYS_epoll_ctl,
               SYS_epoll_pwait,
               SYS_epoll_pwait2,
               SYS_ppoll,
               SYS_pselect6,
               SYS_eventfd2,
               SYS_signalfd4,
               SYS_timerfd_create,
               SYS_timerfd_settime,
               SYS_timerfd_gettime,
               SYS_memfd_create,
               SYS_inotify_init1,
               SYS_inotify_add_watch,
               SYS_inotify_rm_watch});
#if defined(__x86_64__)
  rules.allow({SYS_poll, SYS_select, SYS_epoll_wait, SYS_epoll_create, SYS_pipe, SYS_dup2,
               SYS_eventfd, SYS_signalfd});
#endif
  std::vector<AllOf> commands;
  for (const unsigned command : {F_SETOWN, F_SETSIG, F_SETOWN_EX, F_SETLEASE, F_NOTIFY}) {
    commands.push_back({{1, kAnyBit, command}});
  }
  rules.forbid_if(SYS_fcntl, std::move(commands));
  std::vector<AllOf> requests;
  for (const unsigned request : {FIONREAD, FIONBIO, FIOCLEX, FIONCLEX, TIOCOUTQ, TCGETS, TIOCGWINSZ,
                                 SIOCGIFINDEX, SIOCGIFNAME}) {
    requests.push_back({{1, kAnyBit, request}});
  }
  rules.allow_if(SYS_ioctl, std::move(requests));
}

void allow_sockets(CallRules& rules, const Needs& needs) {
  rules.allow({SYS_accept, SYS_accept4, SYS_recvfrom, SYS_recvmsg, SYS_recvmmsg, SYS_sendto,
               SYS_sendmsg, SYS_sendmmsg, SYS_shutdown, SYS_getsockopt, SYS_getsockname,
               SYS_getpeername});
  rules.allow_if(SYS_socketpair, {{{0, kAnyBit, AF_UNIX}}});
  if (!needs.connect && !needs.listen)
    return rules.forbid({SYS_socket, SYS_connect, SYS_bind, SYS_listen});
  // The last is how getaddrinfo(3) asks for this machine's addresses.
  std::vector<AllOf> kinds{{{0, kAnyBit, AF_NETLINK}, {2, kAnyBit, NETLINK_ROUTE}}};
  for (const unsigned family : {AF_INET, AF_INET6, AF_UNIX}) {
    for (const unsigned type : {SOCK_STREAM, SOCK_DGRAM}) {
      kinds.push_back({{0, kAnyBit, family}, {1, kSocketType, type}});
    }
  }
  rules.allow_if(SYS_socket, std::move(kinds));
  if (needs.connect) rules.allow({SYS_connect});
  if (needs.listen) {
    rules.allow({SYS_connect, SYS_bind, SYS_listen});  // connect: whether a path is in use
  } else {
    rules.forbid({SYS_bind, SYS_listen});
  }
}

/// Memory, threads, time and signals to itself.
void allow_process(CallRules& rules) {
  rules.allow({SYS_mmap,
               SYS_munmap,
               SYS_mremap,
               SYS_mprotect,
               SYS_madvise,
               SYS_brk,
               SYS_msync,
               SYS_mincore,
               SYS_mlock,
               SYS_munlock,
               SYS_mlock2,
               SYS_membarrier,
               SYS_futex,
               SYS_set_robust_list,
               SYS_get_robust_list,
               SYS_rseq,
               SYS_set_tid_address,
               SYS_gettid,
               SYS_getpid,
               SYS_getppid,
               SYS_getuid,
               SYS_geteuid,
               SYS_getgid,
               SYS_getegid,
               SYS_getgroups,
               SYS_getresuid,
               SYS_getresgid,
               SYS_getpgid,
               SYS_getsid,
               SYS_capget,
               SYS_exit,
               SYS_exit_group,
               SYS_restart_syscall,
               SYS_sched_yield,
               SYS_sched_getaffinity,
               SYS_sched_getparam,
               SYS_sched_getscheduler,
               SYS_sched_getattr,
               SYS_sched_get_priority_max,
               SYS_sched_get_priority_min,
               SYS_getpriority,
               SYS_ioprio_get,
               SYS_getcpu,
               SYS_getrusage,
               SYS_getrlimit,
               SYS_setrlimit,
               SYS_times,
               SYS_uname,
               SYS_sysinfo,
               SYS_getrandom,
               SYS_clock_gettime,
               SYS_clock_getres,
               SYS_clock_nanosleep,
               SYS_nanosleep,
               SYS_gettimeofday,
               SYS_timer_create,
               SYS_timer_settime,
               SYS_timer_gettime,
               SYS_timer_getoverrun,
               SYS_timer_delete,
               SYS_setitimer,
               SYS_getitimer,
               SYS_rt_sigaction,
               SYS_rt_sigprocmask,
               SYS_rt_sigreturn,
               SYS_rt_sigpending,
               SYS_rt_sigsuspend,
               SYS_rt_sigtimedwait,
               SYS_sigaltstack,
               SYS_wait4,
               SYS_waitid,
               SYS_umask,
               kLandlockRestrictSelf});
#if defined(__x86_64__)
  rules.allow({SYS_arch_prctl, SYS_time, SYS_alarm, SYS_pause, SYS_getpgrp});
#endif
  std::vector<AllOf> options;
  for (const unsigned option :
       {unsigned{PR_SET_NAME}, unsigned{PR_GET_NAME}, unsigned{PR_GET_DUMPABLE},
        unsigned{PR_GET_SECCOMP}, unsigned{PR_GET_NO_NEW_PRIVS}, unsigned{PR_CAPBSET_READ},
        unsigned{PR_SET_VMA}, unsigned{PR_SET_CHILD_SUBREAPER}}) {
    options.push_back({{0, kAnyBit, option}});
  }
  rules.allow_if(SYS_prctl, std::move(options));
}

/// Landlock says which; without it, the permissions of the worker's user.
void allow_reading_files(CallRules& rules) {
  rules.allow({SYS_openat, SYS_newfstatat, SYS_fstat, SYS_statx, SYS_statfs, SYS_fstatfs,
               SYS_faccessat, SYS_faccessat2, SYS_readlinkat, SYS_getdents64, SYS_getcwd});
#if defined(__x86_64__)
  rules.allow({SYS_open, SYS_stat, SYS_lstat, SYS_access, SYS_readlink, SYS_getdents});
#endif
}

void rule_on_writing_files(CallRules& rules, bool allowed) {
  const auto rule = [&rules, allowed](std::initializer_list<int> numbers) {
    return allowed ? rules.allow(numbers) : rules.forbid(numbers);
  };
  rule({SYS_unlinkat, SYS_renameat, SYS_renameat2, SYS_mkdirat, SYS_linkat, SYS_symlinkat,
        SYS_fchmod, SYS_fchmodat, SYS_utimensat, SYS_truncate, SYS_chdir, SYS_fchdir,
        SYS_sync_file_range});
#if defined(__x86_64__)
  rule({SYS_unlink, SYS_rename, SYS_mkdir, SYS_rmdir, SYS_link, SYS_symlink, SYS_chmod, SYS_creat,
        SYS_utimes, SYS_utime});
#endif
}

/// The path of a unix socket.
void allow_socket_paths(CallRules& rules) {
  rules.allow({SYS_unlinkat});
#if defined(__x86_64__)
  rules.allow({SYS_unlink});
#endif
}

constexpr std::uint32_t kNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                      CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

void allow_forks(CallRules& rules) {
  rules.allow_if(SYS_clone, {{{0, kNamespaces, 0}}});
}

void forbid_programs(CallRules& rules) {
  rules.forbid({SYS_execve, SYS_execveat});
  rules.allow_if(SYS_clone, {{{0, CLONE_THREAD | kNamespaces, CLONE_THREAD}}});
#if defined(__x86_64__)
  rules.forbid({SYS_fork, SYS_vfork});
#endif
}

/// A program that is started has another pid: whom it signals is left to Landlock.
void allow_programs(CallRules& rules) {
  rules.allow({SYS_execve, SYS_execveat, SYS_kill, SYS_tgkill, SYS_setsid, SYS_setpgid, SYS_chdir,
               SYS_prlimit64});
#if defined(__x86_64__)
  rules.allow({SYS_fork, SYS_vfork});
#endif
}

/// Who it is, and what it leaves to others.
void forbid_identity(CallRules& rules) {
  rules.forbid({SYS_setuid,    SYS_setgid,    SYS_setreuid,    SYS_setregid,   SYS_setresuid,
                SYS_setresgid, SYS_setfsuid,  SYS_setfsgid,    SYS_setgroups,  SYS_capset,
                SYS_setsid,    SYS_setpgid,   SYS_seccomp,     SYS_pidfd_open, SYS_shmget,
                SYS_shmat,     SYS_shmctl,    SYS_msgget,      SYS_semget,     SYS_mq_open,
                SYS_mq_unlink, SYS_mknodat,   SYS_fchown,      SYS_fchownat,   SYS_setxattr,
                SYS_lsetxattr, SYS_fsetxattr, SYS_removexattr, SYS_mlockall});
#if defined(__x86_64__)
  rules.forbid({SYS_mknod, SYS_chown, SYS_lchown});
#endif
}

/// `governed`: the pid that the worker may name, besides 0, where it governs itself.
CallRules worker_rules(const Needs& needs, std::uint32_t own, std::uint32_t governed) {
  CallRules rules;
  forbid_reaching_out(rules, governed, SignalRule::kLeftToOthers);  // what follows adds to it
  forbid_signalling(rules, own);
  allow_descriptors(rules);
  allow_process(rules);
  allow_reading_files(rules);
  allow_sockets(rules, needs);
  rule_on_writing_files(rules, !needs.write.empty());
  if (needs.listen) allow_socket_paths(rules);
  forbid_identity(rules);
  if (needs.programs) {
    allow_programs(rules);
  } else {
    forbid_programs(rules);
  }
  return rules;
}

/// What a zygote is held to with all its workers.
CallRules zygote_rules(const Needs& most) {
  CallRules rules = worker_rules(most, 0, 0);
  rules.allow({SYS_kill, SYS_tgkill, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo, SYS_seccomp});
  allow_forks(rules);
  return rules;
}

}  // namespace

std::vector<sock_filter> worker_filter(const Needs& needs, std::uint32_t own) {
  return worker_rules(needs, own, own).compile(fail_with(ENOSYS));
}

std::vector<sock_filter> zygote_filter(const Needs& most) {
  return zygote_rules(most).compile(fail_with(ENOSYS));
}

std::vector<sock_filter> forked_filter(const Needs& needs, const Needs& most, std::uint32_t own) {
  return worker_rules(needs, own, 0).beyond(zygote_rules(most)).compile(let_pass());
}

}  // namespace mpb
