// The problems that clients meet: what the kernel's errors mean, and how reports show them.
#pragma once

#include <cerrno>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json.hpp>

#include "bench/common/report_parts.hpp"

namespace mpb::load {

struct ProblemName {
  std::string_view key;   // "connect_refused": in the JSON report
  std::string_view text;  // "connection refused": for people
};

/// For an errno of connect, send or recv. `Problem` is the load client's own list of problems.
template <class Problem>
Problem classify_errno(int code, bool connecting) {
  switch (code) {
    case ECONNREFUSED:
    case ENOENT:
      return Problem::kConnectRefused;
    case ETIMEDOUT:
      return connecting ? Problem::kConnectTimeout : Problem::kAnswerTimeout;
    case ECONNRESET:
    case EPIPE:
      return Problem::kReset;
    case EADDRNOTAVAIL:
    case EADDRINUSE:
      return Problem::kNoLocalPort;
    case EMFILE:
    case ENFILE:
      return Problem::kNoDescriptor;
    default:
      return Problem::kOtherSystem;
  }
}

// `counts` has one number for each of `names`, in the same order.

/// A line for each problem that was met and for each of `samples`.
void add_problems(Buffer& out, std::span<const ProblemName> names,
                  std::span<const std::uint64_t> counts, const std::vector<std::string>& samples);
/// All problems, met or not.
boost::json::object problems_object(std::span<const ProblemName> names,
                                    std::span<const std::uint64_t> counts);

}  // namespace mpb::load
