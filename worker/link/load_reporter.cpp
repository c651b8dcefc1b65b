#include "worker/link/load_reporter.hpp"

#include "proto/channel/encode.hpp"
#include "worker/worker_context.hpp"

namespace mpb {
namespace {

constexpr Duration kInterval{10};  // between reports of the load alone

channel::Load load_of(const WorkerContext& worker) {
  return {worker.clients.routed(), worker.clients.held(),
          worker.draining ? channel::Load::kDraining : std::uint16_t{0}};
}

}  // namespace

LoadReporter::LoadReporter(WorkerContext& worker, Channel& channel)
    : worker_(worker), channel_(channel), interval_end_(worker.loop) {}

bool LoadReporter::changed() const {
  return load_of(worker_) != told_;
}

bool LoadReporter::has_room() const {
  return worker_.clients.has_room(worker_.settings.max_clients) &&
         worker_.clients.held() < worker_.clients.descriptor_cap();
}

channel::Load LoadReporter::tell_with_ack() {
  told_ = load_of(worker_);
  told_at_ = worker_.loop.now();
  taken_for_full_ = !has_room();
  return told_;
}

void LoadReporter::tell() {
  std::string datagram;
  channel::encode(datagram, tell_with_ack());
  // A channel that does not take it tells of its end itself; the next report brings the figures.
  (void)channel_.send(datagram, -1, Order::kFree);
}

void LoadReporter::tell_before_offer() {
  if (!channel_.is_open()) return;
  const bool full = !has_room();
  if (full ? changed() : taken_for_full_) tell();
}

void LoadReporter::tell_when_due() {
  // Behind what the broker has not read a report would be out of date when its turn comes.
  if (!channel_.is_open() || channel_.queued() > 0) return;
  if (taken_for_full_ && has_room()) return tell();
  if (!changed()) return;
  const TimePoint due = told_at_ + kInterval;
  due <= worker_.loop.now() ? tell() : interval_end_.by(due);
}

}  // namespace mpb
