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
  if (free_.size() <= promised_) add_chunk();
  Session& session = *free_.back();
  free_.pop_back();
  return session;
}

void ClientTable::promise_session() {
  if (free_.size() <= promised_) add_chunk();
  ++promised_;
}

void ClientTable::add_chunk() {
  const std::size_t all = (chunks_.size() + 1) * kChunk;
  if (free_.capacity() < all) free_.reserve(2 * all);
  chunks_.push_back(std::make_unique<Chunk>());
  // The chunk's first is taken first.
  for (Session& session : *chunks_.back()) free_.push_back(&session);
  std::reverse(free_.end() - kChunk, free_.end());
}

void ClientTable::give_back(Session& session) {
  free_.push_back(&session);
}

std::optional<IpBytes> ClientTable::admit_source(const IpBytes& address, std::uint32_t limit) {
  const IpBytes source = source_of(address);
  std::uint32_t& clients = per_source_[source];
  if (clients >= limit) return std::nullopt;
  ++clients;
  return source;
}

void ClientTable::forget_source(const IpBytes& source) {
  const auto count = per_source_.find(source);
  if (--count->second == 0) per_source_.erase(count);
}

}  // namespace mpb
