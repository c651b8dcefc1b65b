// The problems that clients meet: what the kernel's errors mean, and how reports show them.
#pragma once

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/json.hpp>

#include "bench/load/report_parts.hpp"

namespace mpb::load {

struct ProblemName {
  std::string_view key;   // "connect_refused": in the JSON report
  std::string_view text;  // "connection refused": for people
};

/// Bytes that a server sent, for a report.
std::string printable(std::string_view text);

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

/// What was met: how often each problem, and the first few in words.
template <std::size_t kProblems>
struct ProblemLog {
  static constexpr std::size_t kMaxSamples = 5;

  std::array<std::uint64_t, kProblems> problems{};
  std::vector<std::string> samples;

  [[nodiscard]] bool wants_samples() const { return samples.size() < kMaxSamples; }
  void add_sample(std::string text) {
    if (wants_samples()) samples.push_back(std::move(text));
  }
  void merge(const ProblemLog& other) {
    for (std::size_t i = 0; i < kProblems; ++i) problems[i] += other.problems[i];
    for (const std::string& sample : other.samples) add_sample(sample);
  }
};

// `counts` has one number for each of `names`, in the same order.

/// A line for each problem that was met and for each of `samples`.
void add_problems(Buffer& out, std::span<const ProblemName> names,
                  std::span<const std::uint64_t> counts, const std::vector<std::string>& samples);
/// All problems, met or not.
boost::json::object problems_object(std::span<const ProblemName> names,
                                    std::span<const std::uint64_t> counts);

}  // namespace mpb::load
