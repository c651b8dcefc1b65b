// The clients of one thread: made once, used again, and queued without allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bench/mpclient/answer.hpp"
#include "bench/mpclient/conversation.hpp"
#include "common/io/event_loop.hpp"

namespace mpb::load {

using ClientIndex = std::uint32_t;
inline constexpr ClientIndex kNoClient = UINT32_MAX;

struct Client {
  enum class State : std::uint8_t {
    kFree,
    kQueued,      // a unix listener's queue is full: connects again soon
    kConnecting,  // first request not sent yet
    kAsking,      // a request is on its way or waits for its answer
    kPausing,     // between two messages of a paced run
    kHeld,        // idle until the run goes on
    kLingering,   // done, and connected a while longer as a witness of its id's owner
  };

  std::uint64_t number = 0;
  TimePoint begun;     // latency counts from here: the start, in an open loop the intended one
  TimePoint asked;     // when the request was sent
  TimePoint deadline;  // of the state it is in; ordered within each queue
  Conversation conversation;
  int fd = -1;
  std::uint32_t registered = 0;  // epoll events, 0: not in the set
  ClientIndex previous = kNoClient;
  ClientIndex next = kNoClient;
  std::uint16_t bytes_sent = 0;  // of the request
  Request request = Request::kDispatch;
  State state = State::kFree;
  bool told = false;    // its W is answered
  bool joined = false;  // counts in the owner table
  bool moving = false;  // its C is its second one
  AnswerReader reader;

  /// Before its last answer, or before its next rest.
  [[nodiscard]] bool on_its_way() const {
    return state != State::kPausing && state != State::kHeld && state != State::kLingering;
  }
};

/// A queue of clients whose deadlines all lie equally far ahead when they join, so the first is due
/// first. A client is in one queue at most.
struct ClientQueue {
  ClientIndex first = kNoClient;
  ClientIndex last = kNoClient;
};

class ClientPool {
 public:
  explicit ClientPool(std::size_t size) : clients_(size) {
    free_.reserve(size);
    for (std::size_t i = size; i > 0; --i) free_.push_back(static_cast<ClientIndex>(i - 1));
  }

  [[nodiscard]] bool has_free() const { return !free_.empty(); }
  [[nodiscard]] std::size_t live() const { return clients_.size() - free_.size(); }
  [[nodiscard]] std::size_t size() const { return clients_.size(); }
  Client& operator[](ClientIndex index) { return clients_[index]; }
  const Client& operator[](ClientIndex index) const { return clients_[index]; }
  [[nodiscard]] ClientIndex index_of(const Client& client) const {
    return static_cast<ClientIndex>(&client - clients_.data());
  }

  Client& take() {
    Client& client = clients_[free_.back()];
    free_.pop_back();
    client.reader.reset();
    client.registered = 0;
    client.bytes_sent = 0;
    client.told = client.joined = client.moving = false;
    return client;
  }
  void give_back(Client& client) {
    client.state = Client::State::kFree;
    client.fd = -1;
    free_.push_back(index_of(client));
  }

  void append(ClientQueue& queue, Client& client) {
    const ClientIndex index = index_of(client);
    client.previous = queue.last;
    client.next = kNoClient;
    (queue.last == kNoClient ? queue.first : clients_[queue.last].next) = index;
    queue.last = index;
  }
  void remove(ClientQueue& queue, Client& client) {
    (client.previous == kNoClient ? queue.first : clients_[client.previous].next) = client.next;
    (client.next == kNoClient ? queue.last : clients_[client.next].previous) = client.previous;
    client.previous = client.next = kNoClient;
  }

 private:
  std::vector<Client> clients_;
  std::vector<ClientIndex> free_;
};

}  // namespace mpb::load
