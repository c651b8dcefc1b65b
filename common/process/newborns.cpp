#include "common/process/newborns.hpp"

#include <set>

#include "common/base/keyed_map.hpp"

namespace mpb {
namespace {

constexpr std::size_t kMostSeen = 4096;

struct Awaited {
  std::set<std::uint64_t> numbers;
  std::uint64_t last = 0;
  KeyedMap<pid_t, std::uint64_t> seen;  // child: the last number when it was seen first
};

Awaited& awaited() {
  static Awaited all;
  return all;
}

}  // namespace

AwaitedNewborn::AwaitedNewborn() : number_(++awaited().last) {
  awaited().numbers.insert(number_);
}

AwaitedNewborn::~AwaitedNewborn() {
  Awaited& all = awaited();
  all.numbers.erase(number_);
  if (all.numbers.empty()) all.seen.clear();
}

bool may_be_newborn(pid_t pid) {
  Awaited& all = awaited();
  if (all.numbers.empty()) return false;
  if (all.seen.size() >= kMostSeen) all.seen.clear();
  const auto entry = all.seen.try_emplace(pid, all.last).first;
  return entry->second >= *all.numbers.begin();
}

void forget_newborn(pid_t pid) {
  awaited().seen.erase(pid);
}

}  // namespace mpb
