#include "worker/clients/client_table.hpp"

#include <sys/resource.h>

#include <algorithm>

#include "common/process/process.hpp"

namespace mpb {

ClientTable::ClientTable() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  descriptor_cap_ = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(client_descriptors(limit.rlim_cur), UINT32_MAX));
}

Session& ClientTable::take() {
  if (free_.empty()) {
    chunks_.push_back(std::make_unique<Chunk>());
    for (Session& session : *chunks_.back()) free_.push_back(&session);
    std::reverse(free_.begin(), free_.end());
  }
  Session& session = *free_.back();
  free_.pop_back();
  ++held_;
  return session;
}

void ClientTable::give_back(Session& session) {
  --held_;
  free_.push_back(&session);
}

bool ClientTable::admit_source(const Session& session, int fd, std::uint32_t limit) {
  if (limit == 0) return true;
  const auto address = peer_address(fd);
  return !address || admit_source(session, *address, limit);
}

bool ClientTable::admit_source(const Session& session, const IpBytes& address,
                               std::uint32_t limit) {
  const Address source = source_of(address);
  const auto known = per_source_.find(source);
  if (known != per_source_.end() && known->second >= limit) return false;
  ++per_source_[source];
  sources_[&session] = source;
  return true;
}

void ClientTable::forget_source(const Session& session) {
  if (sources_.empty()) return;
  const auto source = sources_.find(&session);
  if (source == sources_.end()) return;
  const auto count = per_source_.find(source->second);
  if (--count->second == 0) per_source_.erase(count);
  sources_.erase(source);
}

}  // namespace mpb
