// What one thread has counted and measured, and the sum of all threads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/load/histogram.hpp"
#include "bench/load/problems.hpp"
#include "bench/mpclient/answer.hpp"

namespace mpb::load {

/// Why a client was lost, or what was wrong.
enum class Problem : std::uint8_t {
  kConnectRefused,
  kConnectTimeout,
  kAnswerTimeout,
  kReset,
  kEofBeforeAnswer,
  kClosedWhileHeld,
  kNoLocalPort,
  kNoDescriptor,
  kOtherSystem,
  kBadAnswer,
  kSurplusAnswer,
  kWrongId,
  kMisrouted,
};
inline constexpr std::size_t kProblems = static_cast<std::size_t>(Problem::kMisrouted) + 1;

/// In the order of Problem.
std::span<const ProblemName> problem_names();
/// A client with this problem got an answer that it must not get, rather than none.
bool is_wrong(Problem problem);
inline Problem problem_of_errno(int code, bool connecting) {
  return classify_errno<Problem>(code, connecting);
}

/// How many clients a worker said it serves.
struct WorkerShare {
  Worker worker;
  std::uint64_t clients = 0;
};

struct Tally : ProblemLog<kProblems> {
  std::uint64_t started = 0;
  std::uint64_t served = 0;         // every command was answered, as it must be
  std::uint64_t lost = 0;           // some command was not answered
  std::uint64_t wrong = 0;          // an answer that must not be; a misrouted client is also served
  std::uint64_t refused = 0;        // told "busy"
  std::uint64_t unfinished = 0;     // still at it when the run was broken off
  std::uint64_t never_started = 0;  // open loop: due within the run, but no room for them
  std::uint64_t messages = 0;       // answered

  Histogram connect;   // start to connected
  Histogram dispatch;  // C to its answer
  Histogram move;      // the second C of a storm to its answer
  Histogram message;   // M to its answer
  Histogram lateness;  // open loop: intended to real start

  std::vector<WorkerShare> workers;
  std::uint64_t answered_where_accepted = 0;  // W told 0 hops
  std::uint64_t handed_over = 0;              // W told 1 hop or more

  void count_who(const Who& who);
  void merge(const Tally& other);

 private:
  void count_clients(const Worker& worker, std::uint64_t clients);
};

}  // namespace mpb::load
