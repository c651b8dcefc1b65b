// The floor of a live relay: one epoll process that takes one stream and writes what came with each
// read of its publisher to every player, one writev each. It knows no vhosts, names, caches of
// pictures or slow players: what a player does not take waits for it in memory.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "bench/floors/floor_process.hpp"
#include "proto/rtmp/chunk.hpp"
#include "proto/rtmp/command.hpp"
#include "proto/rtmp/handshake.hpp"
#include "proto/rtmp/media.hpp"

namespace {

using namespace mpb;
using namespace mpb::bench;

constexpr int kEventsPerWait = 512;
constexpr std::size_t kReadBytes = 256 * 1024;
constexpr std::size_t kMaxMessage = 16 * 1024 * 1024;
constexpr std::size_t kMaxWaiting = 64 * 1024 * 1024;
constexpr std::uint32_t kStream = 1;
constexpr std::uint16_t kStreamBegin = 0;

struct Client {
  enum class Role { kNone, kPublisher, kPlayer };

  explicit Client(int socket) : fd(socket), reader(kMaxMessage) {}

  UniqueFd fd;
  Role role = Role::kNone;
  std::size_t handshake = 0;  // bytes of C0C1C2 so far
  std::string unread;         // C0C1 until it is whole; then part of a chunk header
  rtmp::ChunkReader reader;
  std::string waiting;  // what the socket did not take
  std::size_t place = 0;
};

class Fanout {
 public:
  explicit Fanout(int listener) : listener_(listener), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (!epoll_) fail("epoll_create1");
    watch(listener, nullptr, EPOLLIN, EPOLL_CTL_ADD);
  }
  [[noreturn]] void run();

 private:
  void watch(int fd, Client* client, std::uint32_t events, int operation);
  void accept_clients();
  void on_client(Client& client, std::uint32_t events);
  bool read_once(Client& client);
  bool on_bytes(Client& client, std::string_view bytes);
  bool take_handshake(Client& client, std::string_view& bytes);
  void on_message(Client& client, const rtmp::Message& message);
  void on_command(Client& client, const rtmp::Command& command);
  void relay(const rtmp::Message& message);
  void begin_player(Client& client);
  void fan_out();
  void write(Client& client, std::string_view bytes);
  void flush(Client& client);
  void drop(Client& client);

  int listener_;
  UniqueFd epoll_;
  std::vector<std::unique_ptr<Client>> players_;  // and whoever has no role yet
  std::vector<std::unique_ptr<Client>> dropped_;  // in this turn: events may still name them
  std::string metadata_;                          // chunked, for players that come later
  std::string video_header_;
  std::string audio_header_;
  std::string batch_;
  char buffer_[kReadBytes];
};

void Fanout::watch(int fd, Client* client, std::uint32_t events, int operation) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = client;
  if (::epoll_ctl(epoll_.get(), operation, fd, &event) != 0) fail("epoll_ctl");
}

void Fanout::run() {
  epoll_event events[kEventsPerWait];
  for (;;) {
    const int count = ::epoll_wait(epoll_.get(), events, kEventsPerWait, -1);
    if (count < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < count; ++i) {
      if (events[i].data.ptr == nullptr) {
        accept_clients();
      } else if (auto& client = *static_cast<Client*>(events[i].data.ptr); client.fd) {
        on_client(client, events[i].events);
      }
    }
    dropped_.clear();
  }
}

void Fanout::accept_clients() {
  for (;;) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    auto client = std::make_unique<Client>(fd);
    client->place = players_.size();
    watch(fd, client.get(), EPOLLIN, EPOLL_CTL_ADD);
    players_.push_back(std::move(client));
  }
}

void Fanout::on_client(Client& client, std::uint32_t events) {
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) return drop(client);
  if ((events & EPOLLOUT) != 0) flush(client);
  if (client.fd && (events & EPOLLIN) != 0 && !read_once(client)) drop(client);
}

bool Fanout::read_once(Client& client) {
  const ssize_t size = ::recv(client.fd.get(), buffer_, sizeof buffer_, 0);
  if (size <= 0) return size < 0 && errno == EAGAIN;
  return client.role == Client::Role::kPlayer ||
         on_bytes(client, {buffer_, static_cast<std::size_t>(size)});
}

bool Fanout::on_bytes(Client& client, std::string_view bytes) {
  if (!take_handshake(client, bytes)) return false;
  std::string joined;
  if (!client.unread.empty() && client.handshake == rtmp::kHelloSize + rtmp::kHandshakeBlock) {
    joined = client.unread + std::string(bytes);
    client.unread.clear();
    bytes = joined;
  }
  rtmp::Message message;
  batch_.clear();
  for (;;) {
    const auto result = client.reader.read(bytes, message);
    if (result == rtmp::ChunkReader::Result::kError) return false;
    if (result == rtmp::ChunkReader::Result::kNeedMore) break;
    on_message(client, message);
  }
  client.unread.assign(bytes);
  if (!batch_.empty()) fan_out();
  return true;
}

/// Takes C0C1 and C2 off the front. False: not RTMP.
bool Fanout::take_handshake(Client& client, std::string_view& bytes) {
  constexpr std::size_t kWhole = rtmp::kHelloSize + rtmp::kHandshakeBlock;
  if (client.handshake < rtmp::kHelloSize) {
    const std::size_t more = std::min(bytes.size(), rtmp::kHelloSize - client.handshake);
    client.unread += bytes.substr(0, more);
    client.handshake += more;
    bytes.remove_prefix(more);
    if (static_cast<std::uint8_t>(client.unread[0]) != rtmp::kVersion) return false;
    if (client.handshake < rtmp::kHelloSize) return true;
    std::string answer = client.unread.substr(0, 1);
    answer.append(rtmp::kHandshakeBlock, '\0');
    answer += std::string_view(client.unread).substr(1);
    client.unread.clear();
    write(client, answer);
  }
  const std::size_t more = std::min(bytes.size(), kWhole - client.handshake);
  client.handshake += more;
  bytes.remove_prefix(more);
  return true;
}

void Fanout::on_message(Client& client, const rtmp::Message& message) {
  switch (message.type) {
    case rtmp::MessageType::kCommandAmf0:
    case rtmp::MessageType::kCommandAmf3:
      if (const auto command = rtmp::read_command(message)) on_command(client, *command);
      return;
    case rtmp::MessageType::kAudio:
    case rtmp::MessageType::kVideo:
    case rtmp::MessageType::kDataAmf0:
      if (client.role == Client::Role::kPublisher) relay(message);
      return;
    default:
      return;
  }
}

void Fanout::on_command(Client& client, const rtmp::Command& command) {
  std::string answer;
  if (command.name == "connect") {
    rtmp::append_connect_success(answer, command.transaction, 0, "floor");
  } else if (command.name == "createStream") {
    rtmp::append_result(answer, command.transaction, kStream);
  } else if (command.name == "publish") {
    rtmp::append_status(answer, kStream, "status", "NetStream.Publish.Start", "");
    client.role = Client::Role::kPublisher;
  } else if (command.name == "play") {
    return begin_player(client);
  } else if (command.transaction > 0) {
    rtmp::append_result(answer, command.transaction, std::nullopt);
  }
  if (!answer.empty()) write(client, answer);
}

void Fanout::begin_player(Client& client) {
  std::string answer;
  rtmp::append_user_control(answer, kStreamBegin, kStream);
  rtmp::append_status(answer, kStream, "status", "NetStream.Play.Start", "");
  write(client, answer + metadata_ + video_header_ + audio_header_);
  client.role = Client::Role::kPlayer;
}

void Fanout::relay(const rtmp::Message& message) {
  rtmp::Message out = message;
  out.stream = kStream;
  if (message.type == rtmp::MessageType::kDataAmf0) {
    out.payload = rtmp::strip_set_data_frame(message.payload);
    metadata_.clear();
    rtmp::append_message(metadata_, out, rtmp::kOutChunkSize);
  } else {
    const bool video = message.type == rtmp::MessageType::kVideo;
    const auto info =
        video ? rtmp::inspect_video(message.payload) : rtmp::inspect_audio(message.payload);
    if (info.sequence_header) {
      std::string& header = video ? video_header_ : audio_header_;
      header.clear();
      rtmp::append_message(header, out, rtmp::kOutChunkSize);
    }
  }
  rtmp::append_message(batch_, out, rtmp::kOutChunkSize);
}

void Fanout::fan_out() {
  // Backwards: whoever is dropped gives its place to the last one.
  for (std::size_t i = players_.size(); i > 0; --i) {
    if (players_[i - 1]->role == Client::Role::kPlayer) write(*players_[i - 1], batch_);
  }
}

void Fanout::write(Client& client, std::string_view bytes) {
  if (!client.waiting.empty()) {
    client.waiting += bytes;
    if (client.waiting.size() > kMaxWaiting) drop(client);
    return;
  }
  const iovec slice{const_cast<char*>(bytes.data()), bytes.size()};
  const ssize_t sent = ::writev(client.fd.get(), &slice, 1);
  if (sent < 0 && errno != EAGAIN) return drop(client);
  const std::size_t taken = sent > 0 ? static_cast<std::size_t>(sent) : 0;
  if (taken == bytes.size()) return;
  client.waiting = bytes.substr(taken);
  watch(client.fd.get(), &client, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
}

void Fanout::flush(Client& client) {
  const std::string bytes = std::move(client.waiting);
  client.waiting.clear();
  watch(client.fd.get(), &client, EPOLLIN, EPOLL_CTL_MOD);
  if (!bytes.empty()) write(client, bytes);
}

void Fanout::drop(Client& client) {
  if (!client.fd) return;
  client.fd.reset();
  const std::size_t place = client.place;
  std::swap(players_[place], players_.back());
  players_[place]->place = place;
  dropped_.push_back(std::move(players_.back()));
  players_.pop_back();
}

constexpr Option<FloorOptions> kOptions[] = {kListenOption, help_option<FloorOptions>(kFloorGroup)};
constexpr Program<FloorOptions> kProgram{"floor_fanout", kOptions,
                                         "floor_fanout: a bare epoll relay of one RTMP stream\n"};

}  // namespace

int main(int argc, char** argv) {
  return run_floor(argc, argv, kProgram, [](int, const UniqueFd& listener) {
    // SIGPIPE: writev knows no MSG_NOSIGNAL.
    std::signal(SIGPIPE, SIG_IGN);
    std::make_unique<Fanout>(listener.get())->run();
  });
}
