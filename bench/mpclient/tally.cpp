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

bool is_wrong(Problem problem) {
  return problem >= Problem::kBadAnswer;
}

void Tally::count_who(const Who& who) {
  ++(who.hops == 0 ? answered_where_accepted : handed_over);
  count_clients(who.worker, 1);
}

void Tally::count_clients(const Worker& worker, std::uint64_t clients) {
  const auto found = std::find_if(workers.begin(), workers.end(),
                                  [&](const auto& share) { return share.worker == worker; });
  if (found != workers.end()) {
    found->clients += clients;
  } else {
    workers.push_back({worker, clients});
  }
}

void Tally::merge(const Tally& other) {
  ProblemLog::merge(other);
  started += other.started;
  served += other.served;
  lost += other.lost;
  wrong += other.wrong;
  refused += other.refused;
  unfinished += other.unfinished;
  never_started += other.never_started;
  messages += other.messages;
  connect.merge(other.connect);
  dispatch.merge(other.dispatch);
  move.merge(other.move);
  message.merge(other.message);
  lateness.merge(other.lateness);
  for (const WorkerShare& share : other.workers) count_clients(share.worker, share.clients);
  std::sort(workers.begin(), workers.end(), [](const auto& a, const auto& b) {
    return std::pair(a.worker.slot, a.worker.pid) < std::pair(b.worker.slot, b.worker.pid);
  });
  answered_where_accepted += other.answered_where_accepted;
  handed_over += other.handed_over;
}

}  // namespace mpb::load
