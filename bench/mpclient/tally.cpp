#include "bench/mpclient/tally.hpp"

#include <algorithm>
#include <utility>

namespace mpb::load {
namespace {

constexpr std::array<ProblemName, kProblems> kNames{{
    {"connect_refused", "connection refused"},
    {"connect_timed_out", "timed out while connecting"},
    {"answer_timed_out", "timed out while waiting for an answer"},
    {"reset", "reset by the server"},
    {"eof_before_answer", "closed by the server before the answer"},
    {"closed_while_held", "closed by the server while held idle"},
    {"no_local_port", "no free local port (more --sources help)"},
    {"no_descriptor", "no free descriptor in mpclient"},
    {"system", "other system error"},
    {"bad_answer", "another answer than the one that was due"},
    {"surplus_answer", "an answer that nothing asked for"},
    {"wrong_id", "W named another id than the client's"},
    {"misrouted", "at another worker than the id's living clients"},
}};

}  // namespace

std::span<const ProblemName> problem_names() {
  return kNames;
}

std::string_view problem_text(Problem problem) {
  return kNames[static_cast<std::size_t>(problem)].text;
}

bool is_wrong(Problem problem) {
  return problem >= Problem::kBadAnswer;
}

Problem problem_of_errno(int code, bool connecting) {
  return classify_errno<Problem>(code, connecting);
}

void Tally::add_sample(std::string text) {
  if (samples.size() < kMaxSamples) samples.push_back(std::move(text));
}

void Tally::count_who(const Who& who) {
  ++(who.hops == 0 ? answered_where_accepted : handed_over);
  const auto found = std::find_if(workers.begin(), workers.end(),
                                  [&](const auto& share) { return share.worker == who.worker; });
  if (found != workers.end()) {
    ++found->clients;
  } else {
    workers.push_back({who.worker, 1});
  }
}

void Tally::merge(const Tally& other) {
  started += other.started;
  served += other.served;
  lost += other.lost;
  wrong += other.wrong;
  refused += other.refused;
  unfinished += other.unfinished;
  never_started += other.never_started;
  messages += other.messages;
  for (std::size_t i = 0; i < kProblems; ++i) problems[i] += other.problems[i];
  connect.merge(other.connect);
  dispatch.merge(other.dispatch);
  move.merge(other.move);
  message.merge(other.message);
  lateness.merge(other.lateness);
  for (const WorkerShare& share : other.workers) {
    const auto found = std::find_if(workers.begin(), workers.end(),
                                    [&](const auto& own) { return own.worker == share.worker; });
    if (found != workers.end()) {
      found->clients += share.clients;
    } else {
      workers.push_back(share);
    }
  }
  std::sort(workers.begin(), workers.end(), [](const auto& a, const auto& b) {
    return std::pair(a.worker.slot, a.worker.pid) < std::pair(b.worker.slot, b.worker.pid);
  });
  answered_where_accepted += other.answered_where_accepted;
  handed_over += other.handed_over;
  for (const std::string& sample : other.samples) add_sample(sample);
}

}  // namespace mpb::load
