// System calls that a worker that was taken over may try, by name. None does harm where it is let
// through: it names what is not there, or a process of the test's.
#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <string_view>

namespace mpb::hostile {

struct CallTarget {
  pid_t pid = 0;      // a process outside of the worker
  std::string place;  // a path, or a port
};

struct CapturedCall {
  std::string_view name;
  /// 0, or the error.
  int (*run)(const CallTarget& target);
};

/// Null: there is none of that name.
const CapturedCall* find_captured_call(std::string_view name);

std::span<const CapturedCall> calls_into_processes();  // that reach into `target.pid`
std::span<const CapturedCall> calls_into_kernel();     // that no worker has a use for
std::span<const CapturedCall> calls_to_declare();      // that some handlers need

}  // namespace mpb::hostile
