#include "broker/succession/takeover.hpp"

#include <utility>

namespace mpb {
namespace {

constexpr std::size_t kMostNotTheirs = 64UL << 20U;  // bytes of keys, of one worker

}  // namespace

void Takeover::begin(const Seal& seal, std::uint32_t handoff_window) {
  resync_.emplace(seal, handoff_window);
}

void Takeover::expect(Slot slot) {
  resync_->expect({slot, parts_.workers.at(slot).incarnation});
}

void Takeover::look() {
  if (resync_ && resync_->complete()) finish();
}

std::string_view Takeover::on_report(Slot slot, const channel::ResyncReport& report) {
  if (!resync_) return "a ResyncReport that nobody asked for";
  if (const auto wrong = resync_->report(slot, report); !wrong.empty()) return wrong;
  parts_.workers.report(slot, report.load.clients, report.load.held);
  const bool told = parts_.supervisor.told_to_drain(slot);
  const bool draining = told || (report.flags & channel::ResyncReport::kDraining) != 0;
  // Who drains owns nothing, whatever it has heard of that.
  if (!draining) {
    if (const auto wrong = take_keys(slot, report.owned); !wrong.empty()) return wrong;
  }
  if ((report.flags & channel::ResyncReport::kLast) == 0) return {};
  resumed_[slot] = draining;
  parts_.supervisor.note_reported(slot);
  // Its client was delivered in the last moment.
  if (parts_.cells.role(slot) == CellRole::kSpare && report.load.clients > 0) {
    parts_.cells.on_client(slot);
  }
  look();
  return {};
}

std::string_view Takeover::take_keys(Slot slot, std::string_view keys) {
  channel::KeyEntry entry;
  while (channel::next_key(keys, entry)) {
    switch (parts_.router.claim(slot, entry.space, entry.key, entry.epoch, parts_.loop.now())) {
      case Router::Claim::kRight:
        break;
      case Router::Claim::kDenied:
        channel::append_key(not_theirs_[slot], entry);
        if (not_theirs_[slot].size() > kMostNotTheirs) return "ResyncReports without an end";
        break;
      case Router::Claim::kForged:
        return "a ResyncReport of a key that it was not given";
    }
  }
  return {};
}

void Takeover::on_gone(Slot slot) {
  if (!resync_) return;
  resync_->gone(slot);
  resumed_.erase(slot);
  not_theirs_.erase(slot);
  look();
}

void Takeover::finish() {
  const auto verdicts = resync_->take();
  resync_.reset();
  for (const auto& [origin, told] : verdicts) {
    parts_.dispatcher.resolve(origin, told, parts_.loop.now());
  }
  for (const auto& [slot, keys] : std::exchange(not_theirs_, {})) {
    if (WorkerProcess* worker = parts_.supervisor.process(slot)) worker->disown(keys);
  }
  for (const auto& [slot, draining] : std::exchange(resumed_, {})) {
    parts_.supervisor.finish_resume(slot, draining);
  }
  done_();
}

}  // namespace mpb
