#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "proto/channel/encode.hpp"
#include "tests/hostile/attack.hpp"

namespace mpb::hostile {
namespace {

using Content = channel::Content;

std::string post(const channel::Address& to, Content content = {}, std::uint16_t flags = 0) {
  static std::uint64_t next = 1;
  std::string datagram;
  channel::encode(datagram, channel::Post{next++, flags, to, content});
  return datagram;
}

channel::Address to_slot(std::uint16_t slot) {
  return {To::Kind::kSlot, slot, 0, 0, {}};
}

const channel::Address kAll{To::Kind::kAll, 0, 0, 0, {}};
const channel::Address kOperators{To::Kind::kOperators, 0, 0, 0, {}};
constexpr std::uint16_t kItself = 1;

/// To itself, and it reads none of them, nor what it is told of them.
void post_beyond_window(Rogue& rogue) {
  for (int i = 0; i < 200'000; ++i) {
    if (!rogue.send(post(to_slot(kItself)))) return;
  }
}

void post_beyond_window_in_bytes(Rogue& rogue) {
  const std::string payload(Bus::kMaxPayload, 'x');
  for (int i = 0; i < 10'000; ++i) {
    if (!rogue.send(post(to_slot(kItself), {Content::Kind::kNews, 0, "t", payload}))) return;
  }
}

/// With all credit that it is given, and it reads what it is told.
void post_to_nobody(Rogue& rogue) {
  for (std::uint32_t i = 0; i < 500; ++i) {
    rogue.send(post(to_slot(static_cast<std::uint16_t>(65'535 - i))));
    rogue.send(post({To::Kind::kWorker, 0, 4'000'000'000U + i, 0, {}}));
  }
}

/// Broadcasts as long as there is credit, and reads nothing of what comes back.
void fill_all_and_never_read(Rogue& rogue) {
  const std::string payload(500, 'x');
  for (int i = 0; i < 1'000; ++i) rogue.send(post(kAll, {Content::Kind::kNews, 0, "t", payload}));
  rogue.tell_done();
  while (true) ::pause();
}

void reply_to_what_nobody_asked(Rogue& rogue) {
  for (std::uint64_t correlation = 0; correlation < 100; ++correlation) {
    for (const auto kind : {Content::Kind::kReply, Content::Kind::kRefusal}) {
      rogue.send(post(to_slot(0), {kind, correlation, {}, "lie"}));
      rogue.send(post(kOperators, {kind, correlation, {}, "lie"}));
    }
  }
}

void shout_at_the_operator(Rogue& rogue) {
  for (int i = 0; i < 1'000; ++i) {
    rogue.send(post(kOperators, {Content::Kind::kNews, 0, "\x1b[2J", "\n\xff\"}"}));
  }
}

/// A Letter is the broker's to send; its sender's name stands in it.
void forge_sender(Rogue& rogue) {
  std::string datagram;
  channel::encode(datagram, channel::Letter{1, 0, 0, 1, {Content::Kind::kNews, 0, "t", "forged"}});
  rogue.send(datagram);
}

void post_with(Rogue& rogue, int descriptor) {
  rogue.send(post(to_slot(0), {}, channel::kWithDescriptor), descriptor);
  ::close(descriptor);
}

void topic_too_long(Rogue& rogue) {
  const std::string topic(channel::kMaxTopic + 1, 't');
  rogue.send(post(to_slot(0), {Content::Kind::kNews, 0, topic, {}}));
}

void payload_too_long(Rogue& rogue) {
  const std::string payload(Bus::kMaxPayload + 1, 'p');
  rogue.send(post(to_slot(0), {Content::Kind::kNews, 0, {}, payload}));
}

void content_too_long(Rogue& rogue) {
  std::string datagram = post(to_slot(0)) + std::string(60'000, 'x');
  const auto payload = static_cast<std::uint32_t>(datagram.size() - channel::kHeaderSize);
  datagram.replace(4, sizeof payload, reinterpret_cast<const char*>(&payload), sizeof payload);
  rogue.send(datagram);
}

void join_without_end(Rogue& rogue) {
  for (int i = 0; i < 1'000; ++i) {
    std::string datagram;
    const std::string group = std::to_string(i);
    channel::encode(datagram, channel::Join{0, group});
    if (!rogue.send(datagram)) return;
  }
}

void subscribe_without_end(Rogue& rogue) {
  std::string datagram;
  channel::encode(datagram, channel::Subscribe{});
  for (int i = 0; i < 400'000; ++i) {
    if (!rogue.send(datagram)) return;
  }
}

constexpr Attack kAttacks[] = {
    {"post-before-ready", Stage::kStarted, [](Rogue& r) { r.send(post(to_slot(0))); }},
    {"post-beyond-window", Stage::kOnline, post_beyond_window},
    {"post-beyond-window-in-bytes", Stage::kOnline, post_beyond_window_in_bytes},
    {"post-topic-too-long", Stage::kOnline, topic_too_long},
    {"post-payload-too-long", Stage::kOnline, payload_too_long},
    {"post-content-too-long", Stage::kOnline, content_too_long},
    {"post-forged-sender", Stage::kOnline, forge_sender},
    {"post-regular-file", Stage::kOnline,
     [](Rogue& r) { post_with(r, ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC)); }},
    {"post-epoll", Stage::kOnline, [](Rogue& r) { post_with(r, ::epoll_create1(EPOLL_CLOEXEC)); }},
    {"post-device", Stage::kOnline,
     [](Rogue& r) { post_with(r, ::open("/dev/null", O_RDWR | O_CLOEXEC)); }},
    {"post-without-its-descriptor", Stage::kOnline,
     [](Rogue& r) { r.send(post(to_slot(0), {}, channel::kWithDescriptor)); }},
    {"post-with-a-descriptor-untold", Stage::kOnline,
     [](Rogue& r) { r.send(post(to_slot(0)), 0); }},
    {"join-without-end", Stage::kOnline, join_without_end},
    {"subscribe-without-end", Stage::kOnline, subscribe_without_end},
    {"post-to-nobody", Stage::kOnline, post_to_nobody},
    {"post-unasked-replies", Stage::kOnline, reply_to_what_nobody_asked},
    {"post-to-the-operator", Stage::kOnline, shout_at_the_operator},
    {"post-to-all-and-never-read", Stage::kOnline, fill_all_and_never_read},
};

}  // namespace

std::span<const Attack> letter_attacks() {
  return kAttacks;
}

}  // namespace mpb::hostile
