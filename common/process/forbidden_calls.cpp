#include "common/process/forbidden_calls.hpp"

#include <asm/ioctls.h>
#include <asm/sockios.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>

// Later than the kernel headers that this is built with; the numbers are the same everywhere.
#ifndef SYS_process_mrelease
#define SYS_process_mrelease 448
#endif
#ifndef SYS_open_tree_attr
#define SYS_open_tree_attr 467
#endif

namespace mpb {
namespace {

constexpr int kAttachReuseportCbpf = 51;
constexpr int kAttachReuseportEbpf = 52;
constexpr std::uint32_t kQueryPersonality = 0xffffffff;

AllOf argument_is(std::uint8_t argument, std::uint32_t value) {
  return {{argument, UINT32_MAX, value}};
}

/// The memory, descriptors and state of other processes.
void forbid_tracing(CallRules& rules) {
  rules.forbid({SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_process_madvise,
                SYS_process_mrelease, SYS_pidfd_getfd, SYS_kcmp, SYS_migrate_pages, SYS_move_pages,
                SYS_perf_event_open});
}

/// Limits and shares of time of others. 0 is whoever calls.
void forbid_governing(CallRules& rules, std::uint32_t own) {
  const std::vector<AllOf> itself{argument_is(0, 0), argument_is(0, own)};
  for (const int call : {SYS_prlimit64, SYS_sched_setaffinity, SYS_sched_setattr,
                         SYS_sched_setparam, SYS_sched_setscheduler}) {
    rules.allow_if(call, itself);
  }
  constexpr std::uint32_t kIoPriorityOfProcess = 1;
  rules.allow_if(SYS_setpriority, {{{0, UINT32_MAX, PRIO_PROCESS}, {1, UINT32_MAX, 0}},
                                   {{0, UINT32_MAX, PRIO_PROCESS}, {1, UINT32_MAX, own}}});
  rules.allow_if(SYS_ioprio_set, {{{0, UINT32_MAX, kIoPriorityOfProcess}, {1, UINT32_MAX, 0}},
                                  {{0, UINT32_MAX, kIoPriorityOfProcess}, {1, UINT32_MAX, own}}});
}

/// Signals about a descriptor, to anybody; keys typed into the operator's terminal.
void forbid_descriptor_tricks(CallRules& rules) {
  rules.forbid_if(SYS_fcntl, {argument_is(1, F_SETOWN), argument_is(1, F_SETOWN_EX)});
  rules.forbid_if(SYS_ioctl, {argument_is(1, FIOSETOWN), argument_is(1, SIOCSPGRP),
                              argument_is(1, TIOCSTI), argument_is(1, TIOCLINUX)});
}

/// Large parts of the kernel that serve no client.
void forbid_kernel_interfaces(CallRules& rules) {
  rules.forbid({SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register, SYS_bpf,
                SYS_userfaultfd, SYS_add_key, SYS_keyctl, SYS_request_key, SYS_fanotify_init,
                SYS_fanotify_mark, SYS_open_by_handle_at, SYS_name_to_handle_at});
  rules.allow_if(SYS_personality, {argument_is(0, 0), argument_is(0, kQueryPersonality)});
}

void forbid_administration(CallRules& rules) {
  rules.forbid({SYS_kexec_load,   SYS_init_module,     SYS_finit_module,  SYS_delete_module,
                SYS_mount,        SYS_umount2,         SYS_pivot_root,    SYS_move_mount,
                SYS_open_tree,    SYS_fsopen,          SYS_fsconfig,      SYS_fsmount,
                SYS_fspick,       SYS_mount_setattr,   SYS_chroot,        SYS_swapon,
                SYS_swapoff,      SYS_reboot,          SYS_sethostname,   SYS_setdomainname,
                SYS_settimeofday, SYS_clock_settime,   SYS_clock_adjtime, SYS_adjtimex,
                SYS_acct,         SYS_quotactl,        SYS_quotactl_fd,   SYS_syslog,
                SYS_vhangup,      SYS_kexec_file_load, SYS_open_tree_attr});
#if defined(__x86_64__)
  rules.forbid(
      {SYS_ioperm, SYS_iopl, SYS_modify_ldt, SYS__sysctl, SYS_uselib, SYS_ustat, SYS_sysfs});
#endif
}

/// New namespaces give rights over what is in them, and with these more of the kernel to attack.
/// What clone3 is asked for is in memory, where a filter cannot look: libraries then call clone.
void forbid_namespaces(CallRules& rules) {
  rules.forbid({SYS_unshare, SYS_setns});
  constexpr std::uint32_t kNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
                                        CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
  rules.allow_if(SYS_clone, {{{0, kNamespaces, 0}}});
  rules.add(SYS_clone3, {fail_with(ENOSYS)});
}

/// Programs in the kernel that pick what a socket is sent: a listener is shared with others.
void forbid_socket_filters(CallRules& rules) {
  std::vector<AllOf> cases;
  for (const int option : {SO_ATTACH_FILTER, SO_ATTACH_BPF, SO_LOCK_FILTER, kAttachReuseportCbpf,
                           kAttachReuseportEbpf}) {
    cases.push_back({{1, UINT32_MAX, SOL_SOCKET}, {2, UINT32_MAX, static_cast<unsigned>(option)}});
  }
  rules.forbid_if(SYS_setsockopt, std::move(cases));
}

}  // namespace

void forbid_signalling(CallRules& rules, std::uint32_t own) {
  for (const int call : {SYS_kill, SYS_tgkill, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo}) {
    rules.allow_if(call, {argument_is(0, own)});
  }
  rules.forbid({SYS_tkill, SYS_pidfd_send_signal});
}

void forbid_reaching_out(CallRules& rules, std::uint32_t own, SignalRule signals) {
  forbid_tracing(rules);
  forbid_governing(rules, own);
  if (signals == SignalRule::kItself) forbid_signalling(rules, own);
  forbid_descriptor_tricks(rules);
  forbid_kernel_interfaces(rules);
  forbid_administration(rules);
  forbid_namespaces(rules);
  forbid_socket_filters(rules);
}

}  // namespace mpb
