#include "worker/client_table.hpp"

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "common/process.hpp"

namespace mpb {
namespace {

/// The peer's IP address, IPv4 mapped into IPv6; nothing for other families.
std::optional<std::array<std::uint8_t, 16>> peer_address(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return std::nullopt;
  std::array<std::uint8_t, 16> address{};
  if (storage.ss_family == AF_INET) {
    address[10] = address[11] = 0xff;
    std::memcpy(&address[12], &reinterpret_cast<const sockaddr_in*>(&storage)->sin_addr, 4);
    return address;
  }
  if (storage.ss_family == AF_INET6) {
    std::memcpy(address.data(), &reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_addr, 16);
    return address;
  }
  return std::nullopt;
}

}  // namespace

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
  if (!address) return true;
  const auto known = per_source_.find(*address);
  if (known != per_source_.end() && known->second >= limit) return false;
  ++per_source_[*address];
  sources_[&session] = *address;
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
