#include "common/listen/address_holder.hpp"

#include <arpa/inet.h>
#include <dirent.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <ctime>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <string_view>

namespace mpb {
namespace {

constexpr std::chrono::milliseconds kBudget{200};  // of the CPU
constexpr std::string_view kListening = "0A";      // states of /proc/net/tcp
constexpr std::string_view kTimeWait = "06";

/// An address as /proc/net/tcp writes it: each four bytes as a number of this machine.
template <std::size_t Words>
std::string hexadecimal(const void* address) {
  std::array<std::uint32_t, Words> words{};
  std::memcpy(words.data(), address, sizeof words);
  std::string text;
  for (const std::uint32_t word : words) text += fmt::format("{:08X}", word);
  return text;
}

struct TcpEntry {
  std::string address;
  std::uint16_t port = 0;
  std::string state;
  uid_t user = 0;
  std::string inode;
};

/// Those that have `port` here. There may be very many others.
std::vector<TcpEntry> read_tcp_table(const char* path, std::uint16_t port) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);  // the head
  std::vector<TcpEntry> entries;
  const std::string mark = fmt::format(":{:04X} ", port);
  while (std::getline(file, line)) {
    if (line.find(mark) == std::string::npos) continue;
    std::istringstream fields(line);
    std::string number, local, remote, queues, timer, retransmits, timeout;
    TcpEntry entry;
    fields >> number >> local >> remote >> entry.state >> queues >> timer >> retransmits >>
        entry.user >> timeout >> entry.inode;
    const auto colon = local.find(':');
    if (!fields || colon == std::string::npos) continue;
    entry.address = local.substr(0, colon);
    entry.port = static_cast<std::uint16_t>(std::stoul(local.substr(colon + 1), nullptr, 16));
    if (entry.state != kTimeWait) entries.push_back(std::move(entry));
  }
  return entries;
}

bool is_zero(const std::string& address) {
  return address.find_first_not_of('0') == std::string::npos;
}

struct Sockets {
  std::set<std::string> inodes;
  std::optional<uid_t> user;
};

void add_tcp_sockets(Sockets& sockets, const std::vector<TcpEntry>& table, std::uint16_t port,
                     const std::string& address, bool any, bool listening) {
  for (const TcpEntry& entry : table) {
    const bool meets = any || is_zero(entry.address) || entry.address == address;
    if (entry.port != port || !meets || (listening && entry.state != kListening)) continue;
    sockets.inodes.insert(entry.inode);
    sockets.user = entry.user;
  }
}

Sockets find_tcp_sockets(const Endpoint& endpoint) {
  const bool four = endpoint.family() == AF_INET;
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(&endpoint.address);
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&endpoint.address);
  const std::string address = four ? hexadecimal<1>(&v4->sin_addr) : hexadecimal<4>(&v6->sin6_addr);
  const auto own = read_tcp_table(four ? "/proc/net/tcp" : "/proc/net/tcp6", endpoint.port());
  // A socket of IPv6 may take IPv4, too.
  const auto other =
      four ? read_tcp_table("/proc/net/tcp6", endpoint.port()) : std::vector<TcpEntry>{};
  const std::string mapped = hexadecimal<3>("\0\0\0\0\0\0\0\0\0\0\xff\xff") + address;
  Sockets sockets;
  for (const bool listening : {true, false}) {
    if (!sockets.inodes.empty()) break;
    add_tcp_sockets(sockets, own, endpoint.port(), address, endpoint.is_wildcard(), listening);
    add_tcp_sockets(sockets, other, endpoint.port(), mapped, endpoint.is_wildcard(), listening);
  }
  return sockets;
}

Sockets find_unix_sockets(const Endpoint& endpoint) {
  const std::string name = endpoint.to_string().substr(std::string_view("unix:").size());
  std::ifstream file("/proc/net/unix");
  std::string line;
  Sockets sockets;
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::string ignored, inode, path;
    for (int i = 0; i < 6; ++i) fields >> ignored;
    fields >> inode;
    std::getline(fields >> std::ws, path);
    if (path == name) sockets.inodes.insert(inode);
  }
  return sockets;
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

pid_t parent_of(pid_t pid) {
  const std::string stat = first_line(fmt::format("/proc/{}/stat", pid));
  std::istringstream fields(stat.substr(std::min(stat.rfind(')') + 1, stat.size())));
  std::string state;
  pid_t parent = 0;
  fields >> state >> parent;
  return parent;
}

/// The environment cannot be read of another user's process; then the name must do.
bool is_worker(pid_t pid, const std::string& program) {
  std::ifstream file(fmt::format("/proc/{}/environ", pid), std::ios::binary);
  const std::string environment{std::istreambuf_iterator<char>(file), {}};
  if (environment.empty()) return program == "mpworker";
  return environment.find("MPBROKER_CHANNEL=") != std::string::npos;
}

AddressHolder describe(pid_t pid) {
  AddressHolder holder{pid, first_line(fmt::format("/proc/{}/comm", pid)), false};
  const std::string parent = first_line(fmt::format("/proc/{}/comm", parent_of(pid)));
  holder.orphaned_worker =
      holder.program != "mpbroker" && parent != "mpbroker" && is_worker(pid, holder.program);
  return holder;
}

using Folder = std::unique_ptr<DIR, int (*)(DIR*)>;

Folder open_folder(const std::string& path) {
  return {::opendir(path.c_str()), &::closedir};
}

bool holds(pid_t pid, const std::set<std::string>& inodes) {
  const Folder folder = open_folder(fmt::format("/proc/{}/fd", pid));
  while (const dirent* entry = folder ? ::readdir(folder.get()) : nullptr) {
    std::array<char, 64> target{};
    const ssize_t size =
        ::readlinkat(::dirfd(folder.get()), entry->d_name, target.data(), target.size());
    const std::string_view text(target.data(),
                                static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    constexpr std::string_view kSocket = "socket:[";
    if (!text.starts_with(kSocket) || !text.ends_with(']')) continue;
    const auto inode = text.substr(kSocket.size(), text.size() - kSocket.size() - 1);
    if (inodes.contains(std::string(inode))) return true;
  }
  return false;
}

std::chrono::nanoseconds cpu_time() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

AddressHolders find_address_holders(const Endpoint& endpoint) {
  const Sockets sockets =
      endpoint.family() == AF_UNIX ? find_unix_sockets(endpoint) : find_tcp_sockets(endpoint);
  AddressHolders holders;
  if (sockets.inodes.empty()) return holders;
  const auto until = cpu_time() + kBudget;
  const Folder processes = open_folder("/proc");
  while (const dirent* entry = processes ? ::readdir(processes.get()) : nullptr) {
    if (cpu_time() > until) break;
    const pid_t pid = static_cast<pid_t>(std::strtol(entry->d_name, nullptr, 10));
    if (pid > 0 && holds(pid, sockets.inodes)) holders.processes.push_back(describe(pid));
  }
  if (holders.processes.empty()) holders.user = sockets.user;
  return holders;
}

}  // namespace mpb
