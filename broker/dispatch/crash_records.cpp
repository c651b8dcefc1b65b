#include "broker/dispatch/crash_records.hpp"

namespace mpb {

Duration CrashRecords::note(const std::string& name, const WorkerExit& exit, TimePoint now,
                            std::mt19937_64& random) {
  if (records_.size() >= kMost && !records_.contains(name)) forget_settled(now);
  if (records_.size() >= kMost && !records_.contains(name)) return Duration{0};
  Record& record = records_.try_emplace(name, Record{RestartPolicy(rules_)}).first->second;
  const Duration delay = record.policy.on_exit(exit, random).delay;
  record.until = now + delay;
  return delay;
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
