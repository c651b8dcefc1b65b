// Processes as the kernel shows them (proc(5)).
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mpb::test {

/// 'R', 'S', 'T' (stopped), 'Z' (zombie), ...; 0: there is no such process.
char state_of(pid_t pid);
inline bool is_running(pid_t pid) {
  const char state = state_of(pid);
  return state != 0 && state != 'Z';
}

std::vector<pid_t> children_of(pid_t pid);
/// Children that have ended and that nobody has waited for.
std::vector<pid_t> zombies_of(pid_t pid);

/// How many descriptors a process has open; 0 when it is gone.
std::size_t descriptors_of(pid_t pid);
/// What they are: "socket:[123]", "/dev/null", "anon_inode:[eventpoll]", ... in order.
std::vector<std::string> descriptor_names_of(pid_t pid);
/// How many a worker has, its listening sockets not counted, which are the only sockets that its
/// broker has as well: which workers accept changes, and one that was told so may not have heard
/// it.
std::size_t own_descriptors_of(pid_t worker, pid_t broker);

/// The process can open no further descriptor, nor be sent one (prlimit(2)): EMFILE.
void forbid_descriptors(pid_t pid);
/// As many as its hard limit allows.
void allow_descriptors(pid_t pid);

/// All running processes with "NAME=value" in their environment.
std::vector<pid_t> processes_with(std::string_view variable);

/// Its command (proc(5), comm); empty: there is no such process.
std::string program_of(pid_t pid);

/// All running processes of a session (setsid(2)), also such whose environment this user may not
/// read.
std::vector<pid_t> processes_of_session(pid_t session);

std::string read_file(const std::string& path);

}  // namespace mpb::test
