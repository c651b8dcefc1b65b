// One thread of load: its share of the clients, and what becomes of each.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "bench/load/engine.hpp"
#include "bench/mpclient/client.hpp"
#include "bench/mpclient/owner_table.hpp"
#include "bench/mpclient/request.hpp"
#include "bench/mpclient/settings.hpp"
#include "bench/mpclient/tally.hpp"

namespace mpb::load {

/// Runs the clients whose number is `index` modulo the number of threads.
class LoadThread final : public Engine {
 public:
  /// `at_once`, `witnesses`: this thread's part of the clients in flight or kept, and of those that
  /// linger behind them.
  LoadThread(const Settings& settings, RunState& run, OwnerTable& owners, unsigned index,
             std::size_t at_once, std::size_t witnesses);

  /// Only after run() has returned.
  [[nodiscard]] Tally tally() const;
  [[nodiscard]] TimePoint last_end() const { return last_end_; }

 private:
  // load_thread.cpp: how the run goes on.
  [[nodiscard]] bool has_room() const override;
  [[nodiscard]] bool settled() const override;
  bool is_over() override;
  void obey(Order order) override;
  [[nodiscard]] Counts counts() const override;
  void start_overdue();
  void move(Client& client);
  void end_witnesses();

  // load_thread_clients.cpp: the life of one client.
  void start(std::uint64_t number, TimePoint begun) override;
  void on_events(Connection& connection, std::uint32_t events) override;
  void on_due(Connection& connection) override;
  void on_error(Connection& connection, int code) override;
  void retire(std::unique_ptr<Connection> connection) override;
  void connect(Client& client);
  void ask(Client& client, Request request);
  void send(Client& client);
  void receive(Client& client);
  bool judge(Client& client, std::string_view text);
  void on_dispatched(Client& client);
  bool on_who(Client& client);
  void advance(Client& client);
  void linger(Client& client);
  void fail(Client& client, Problem problem, std::string_view detail);
  void end(Client& client, std::uint64_t& outcome, bool peer_may_live);
  void leave_owner(Client& client, bool peer_may_live);
  void enter(Client& client, Client::State state, TimePoint due);

  [[nodiscard]] std::optional<Client::State> resting_state() const;

  const Settings& settings_;
  OwnerTable& owners_;
  const Script script_;
  const std::uint64_t width_;      // clients of this thread on their way at once, at most
  const std::uint64_t room_;       // that live, at most
  const std::uint64_t witnesses_;  // served ones that linger, at most

  RequestWriter writer_;
  std::vector<std::unique_ptr<Client>> spare_;  // for clients to come
  boost::intrusive::list<Client, boost::intrusive::base_hook<WitnessHook>,
                         boost::intrusive::constant_time_size<false>>
      lingering_;
  std::uint64_t lingering_count_ = 0;
  std::uint64_t on_their_way_ = 0;
  Tally tally_;
  TimePoint last_end_;
  std::array<char, 4096> input_{};
};

}  // namespace mpb::load
