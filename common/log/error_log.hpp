// Errors in the log.
#pragma once

#include "common/base/error.hpp"
#include "common/log/log.hpp"

namespace mpb {

/// Adds `why` and, if the error knows what to do, `help`.
inline void add_error(LogLine& line, const Error& error) {
  line("why", error.text);
  if (!error.help.empty()) line("help", error.help);
}

/// The line of a program that ends because of it.
inline void log_failed(const Error& error) {
  LogLine line(LogLevel::kError, "failed");
  add_error(line, error);
}

}  // namespace mpb
