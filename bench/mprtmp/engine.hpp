// The run: all clients over one epoll set, in one thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "bench/common/connector.hpp"
#include "bench/mprtmp/player_view.hpp"
#include "bench/mprtmp/report.hpp"
#include "bench/mprtmp/session.hpp"
#include "bench/mprtmp/settings.hpp"
#include "bench/mprtmp/synthetic_stream.hpp"
#include "bench/mprtmp/tally.hpp"
#include "common/base/unique_fd.hpp"
#include "common/io/deadline_list.hpp"
#include "common/io/event_loop.hpp"

namespace mpb::rtmp_load {

class Engine {
 public:
  /// `descriptors`: how many this process may have. An error when the run needs more.
  static Result<std::unique_ptr<Engine>> create(const Settings& settings,
                                                std::uint64_t descriptors);

  /// Blocks until the run has ended by itself, by --duration or --hold, or by SIGINT or SIGTERM.
  Report run();

 private:
  struct Client;
  using Frames = std::multimap<TimePoint, Client*>;  // publishers by when their next frame is due

  Engine(const Settings& settings, std::optional<SyntheticStream> stream);

  // engine.cpp: turns and phases.
  void turn();
  void wait_and_handle();
  void start_clients();
  [[nodiscard]] bool may_start(TimePoint now) const;
  [[nodiscard]] bool room_to_start() const;
  [[nodiscard]] bool more_to_start() const;
  [[nodiscard]] TimePoint intended_start(std::uint64_t number) const;
  [[nodiscard]] TimePoint next_due() const;
  [[nodiscard]] bool done() const;
  void check_settled();
  void check_end();
  void finish();
  Report make_report(double cpu_seconds) const;

  // engine_clients.cpp: the life of one client.
  void start(std::uint64_t number, TimePoint begun);
  void handle(Client& client, std::uint32_t events);
  void receive(Client& client);
  void flush(Client& client);
  void set_interest(Client& client, std::uint32_t events);
  void restart_limit(Client& client, TimePoint now);
  void expire(Client& client);
  void on_started(Client& client);
  void on_media_begun(Client& client);
  void on_media(Client& client, const Skimmed& message);
  void on_until(Client& client, Until reached);
  void settle(Client& client);
  void fail(Client& client, Problem problem, std::string_view detail);
  void fail_errno(Client& client, int code);
  void end(Client& client, std::uint64_t& outcome);
  ClientCounts& counts(const Client& client);

  // engine_publish.cpp: what publishers send.
  void begin_publication(Client& client);
  void send_due_frames(TimePoint now);
  void append_due_frames(Client& client, TimePoint now);
  void append_frame(Client& client, bool video, TimePoint now);
  void schedule(Client& client);
  void end_publication(Client& client);
  [[nodiscard]] TimePoint next_frame(const Client& client) const;

  const Settings settings_;
  const std::optional<SyntheticStream> stream_;
  const load::Connector connector_;
  const std::uint64_t total_;       // clients of the whole run, publishers first
  std::vector<Address> addresses_;  // by stream
  UniqueFd signals_;
  UniqueFd epoll_;
  std::mt19937_64 random_;
  std::string hello_;  // C0C1 of every client

  std::vector<std::unique_ptr<Client>> clients_;  // that live
  std::vector<std::unique_ptr<Client>> ended_;    // in this turn: events may still name them
  DeadlineList<Client> limits_;
  Frames frames_;

  TimePoint begun_;
  TimePoint players_begun_;  // players' intended starts count from here
  TimePoint end_of_run_ = TimePoint::max();
  TimePoint refused_until_{};  // starts wait: nobody listens at the moment
  TimePoint window_begun_{};
  Traffic before_window_;
  std::uint64_t next_number_ = 0;
  std::uint64_t on_their_way_ = 0;  // publish or play not answered yet
  std::uint64_t unsettled_ = 0;     // have not got yet what they came for
  bool players_may_start_ = false;
  bool settled_ = false;
  bool finished_ = false;
  bool interrupted_ = false;
  Tally tally_;
  std::vector<char> input_;
};

/// One publisher or player.
struct Engine::Client final : Deadline, SessionObserver {
  Client(Engine& owner, Session::Role its_role, const Address& address)
      : engine(owner), session(its_role, address), role(its_role) {}

  void on_accepted() override;
  void on_started() override { engine.on_started(*this); }
  void on_refused(std::string_view why) override { engine.fail(*this, Problem::kRefused, why); }
  void on_media_begun() override { engine.on_media_begun(*this); }
  void on_media(const Skimmed& message) override { engine.on_media(*this, message); }

  Engine& engine;
  Session session;
  PlayerView view;
  std::uint64_t number = 0;
  std::uint32_t stream = 0;  // which of all
  std::size_t place = 0;     // in Engine::clients_
  TimePoint begun;           // times count from here: with a rate the intended start
  TimePoint joined;          // players: play was answered
  TimePoint received;        // what is being looked at now
  std::string out;
  std::size_t sent = 0;  // of `out`
  UniqueFd fd;
  std::uint32_t registered = 0;  // epoll events, 0: not in the set
  Session::Role role;
  bool connected = false;
  bool ended = false;
  bool settled = false;  // got what it came for
  bool has_media = false;

  // publishers
  Frames::iterator next_frame;
  bool scheduled = false;
  TimePoint publication_begun;
  std::uint32_t publisher = 0;
  std::uint64_t next_video = 0;
  std::uint64_t next_audio = 0;
};

}  // namespace mpb::rtmp_load
