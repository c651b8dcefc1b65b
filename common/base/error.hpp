// Typed errors and results. Nothing in mpbroker throws for input it did not make itself: functions
// that can fail return Result<T>, and the Error says what failed, where, and what to do about it.
#pragma once

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

#include <boost/system/result.hpp>

namespace mpb {

enum class ErrorKind {
  kUsage,       // a command line or configuration value is wrong: exit code 2, do not restart
  kSystem,      // a system call failed; `code` is its errno
  kProtocol,    // a peer broke the wire format or its order
  kLimit,       // a configured or built-in bound was reached
  kUnavailable  // the other side is gone or cannot answer now
};

struct Error {
  ErrorKind kind = ErrorKind::kSystem;
  std::string text;
  int code = 0;        // errno for kSystem, else 0
  std::string help{};  // what to do about it, where the text alone does not say
};

/// Boost.System's customisation point: what Result<T>::value() throws.
[[noreturn]] inline void throw_exception_from_error(const Error& error,
                                                    const boost::source_location&) {
  throw std::runtime_error(error.text);
}

template <class T>
using Result = boost::system::result<T, Error>;
using Status = Result<void>;

inline Error usage_error(std::string text) {
  return {ErrorKind::kUsage, std::move(text), 0};
}
inline Error protocol_error(std::string text) {
  return {ErrorKind::kProtocol, std::move(text), 0};
}
inline Error limit_error(std::string text) {
  return {ErrorKind::kLimit, std::move(text), 0};
}
inline Error unavailable_error(std::string text) {
  return {ErrorKind::kUnavailable, std::move(text), 0};
}

/// An Error for the system call `what` that has just failed: reads errno, so call it at once.
inline Error system_error(std::string what) {
  const int code = errno;
  return {ErrorKind::kSystem, std::move(what) + ": " + std::strerror(code), code};
}

inline Error with_help(Error error, std::string help) {
  error.help = std::move(help);
  return error;
}

}  // namespace mpb
