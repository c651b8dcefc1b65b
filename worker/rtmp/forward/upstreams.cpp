#include "worker/rtmp/forward/upstreams.hpp"

#include <algorithm>

#include "common/answers/record.hpp"
#include "common/log/log.hpp"

namespace mpb::rtmp {
namespace {

constexpr Duration kLogInterval{1'000};

}  // namespace

Upstreams::Upstreams(WorkerEnvironment& environment)
    : loop(environment.loop),
      names(environment.shared<NameResolver>()),
      random(std::random_device{}()),
      environment_(environment) {
  environment.answer("upstreams", [this](std::string_view) { return content_of(report()); });
}

std::shared_ptr<UpstreamSet> Upstreams::of(const Settings& settings) {
  if (entries_.size() >= forget_at_) forget_unused();
  Entry& entry = entries_[settings->name];
  if (entry.settings != settings) {
    entry.set = std::make_shared<UpstreamSet>(*settings, entry.set.get());
    entry.settings = settings;
  }
  return entry.set;
}

bool Upstreams::is_configured(const std::string& section) const {
  return environment_.vhosts.find(section)->name == section;
}

/// Sections may have been taken away. Clients on their way hold what they need. Not at each change
/// of the vhosts: it looks at all there are.
void Upstreams::forget_unused() {
  std::erase_if(entries_, [this](const auto& entry) { return !is_configured(entry.first); });
  forget_at_ = std::max(kFewEntries, 2 * entries_.size());
}

void Upstreams::remove_client() {
  if (--clients_ == 0) pipes.clear();
}

void Upstreams::note_success(UpstreamSet& set, std::size_t number) {
  if (!set.succeeded(number)) return;
  log_info("upstream.back")("address", set.members()[number].upstream.address);
}

void Upstreams::note_failure(UpstreamSet& set, std::size_t number, std::string_view why,
                             bool blamed) {
  const std::string& address = set.members()[number].upstream.address;
  log_debug("upstream.failed")("address", address)("why", why);
  if (!blamed) return set.refused(number, why);
  if (!set.failed(number, why, loop.now())) return;
  log_warning("upstream.out")("address", address)("failures", set.members()[number].failures)("why",
                                                                                              why);
}

void Upstreams::note_unserved(std::string_view vhost, std::string_view why) {
  ++unserved_;
  if (loop.now() < next_log_) return;
  next_log_ = loop.now() + kLogInterval;
  log_warning("forward.unserved")("vhost", vhost)("clients", unserved_ - unserved_at_log_)("why",
                                                                                           why);
  unserved_at_log_ = unserved_;
}

Listing<UpstreamEntry> Upstreams::report() const {
  Listing<UpstreamEntry> list{.totals = {clients_, unserved_}};
  for (const auto& [section, entry] : entries_) {
    if (!is_configured(section)) continue;
    for (std::size_t number = 0; number < entry.set->members().size(); ++number) {
      const UpstreamSet::Member& member = entry.set->members()[number];
      list.entries.push_back({
          .vhost = section,
          .address = member.upstream.address,
          .why = member.why,
          .counters = {.clients = *member.clients,
                       .served = member.served,
                       .failed = member.failed,
                       .failures = member.failures},
          .backup = member.upstream.backup,
          .out = entry.set->is_out(number, loop.now()),
      });
    }
  }
  return list;
}

}  // namespace mpb::rtmp
