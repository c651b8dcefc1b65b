#include "broker/dispatch/crash_records.hpp"

namespace mpb {

BackOff CrashRecords::note(const std::string& name, const WorkerExit& exit, TimePoint now,
                           std::mt19937_64& random) {
  if (records_.size() >= kMost && !records_.contains(name)) forget_settled(now);
  if (records_.size() >= kMost && !records_.contains(name)) return {};
  Record& record = records_.try_emplace(name, Record{RestartPolicy(rules_)}).first->second;
  Duration delay = record.policy.on_exit(exit, random).delay;
  record.in_a_row = exit.was_ready && exit.ran >= rules_.settled ? 0 : record.in_a_row + 1;
  record.failures = record.in_a_row;
  record.closed = close_rules_.failures > 0 && record.failures >= close_rules_.failures;
  if (record.closed) {
    delay = close_rules_.recovery;
    record.policy.forgive();
    record.in_a_row = 0;
  }
  record.until = now + delay;
  return {delay, record.failures, record.closed};
}

void CrashRecords::reopen() {
  std::erase_if(records_, [](const auto& entry) { return entry.second.closed; });
}

bool CrashRecords::backs_off(const std::string& name, TimePoint now) const {
  if (records_.empty()) return false;
  const auto record = records_.find(name);
  return record != records_.end() && now < record->second.until;
}

void CrashRecords::forget_settled(TimePoint now) {
  std::erase_if(records_,
                [&](const auto& entry) { return now >= entry.second.until + rules_.settled; });
}

}  // namespace mpb
