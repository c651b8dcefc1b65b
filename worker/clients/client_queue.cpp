#include "worker/clients/client_queue.hpp"

namespace mpb {

ClientQueue::ClientQueue(std::vector<MemoryKeeper*>& keepers,
                         std::function<void(HeldClient)> relieve)
    : keepers_(keepers), relieve_(std::move(relieve)) {
  keepers_.push_back(this);
}

ClientQueue::~ClientQueue() {
  std::erase(keepers_, static_cast<MemoryKeeper*>(this));
}

ClientQueue::Place ClientQueue::add(HeldClient&& client, TimePoint now) {
  if (spare_.empty()) spare_.emplace_back();
  const Place place = spare_.begin();
  client.account();
  *place = {std::move(client), now, place};
  waiting_.splice(waiting_.end(), spare_, place);
  return place;
}

HeldClient ClientQueue::take(Place place) {
  spare_.splice(spare_.begin(), waiting_, place);
  return std::move(place->client);
}

void ClientQueue::list_memory(std::vector<MemoryShare>& shares) {
  for (Waiting& waiting : waiting_) {
    MemoryShare& share = shares.emplace_back();
    share.vhost = waiting.client.key_text();  // no name that it chose itself
    share.client = share.item = &waiting;
    share.bytes = waiting.client.accounted;
    share.keeper = this;
  }
}

void ClientQueue::relieve(const MemoryShare& share, Relief relief) {
  if (relief == Relief::kClose) relieve_(take(static_cast<Waiting*>(share.item)->place));
}

}  // namespace mpb
