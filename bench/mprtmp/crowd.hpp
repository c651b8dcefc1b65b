// The clients of a run, all in one thread: players know their publishers' frames.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "bench/load/engine.hpp"
#include "bench/mprtmp/player_view.hpp"
#include "bench/mprtmp/report.hpp"
#include "bench/mprtmp/session.hpp"
#include "bench/mprtmp/settings.hpp"
#include "bench/mprtmp/synthetic_stream.hpp"
#include "bench/mprtmp/tally.hpp"

namespace mpb::rtmp_load {

class Crowd final : public load::Engine {
 public:
  /// `stream`: what publishers send; null when there are none. All three outlive the crowd.
  Crowd(const Settings& settings, load::RunState& run, const SyntheticStream* stream);

  /// Only after run() has returned.
  [[nodiscard]] Report report(const load::RunTimes& times) const;

 private:
  struct Client;

  // crowd.cpp: how the run goes on.
  [[nodiscard]] bool has_room() const override;
  [[nodiscard]] bool settled() const override;
  void on_settled() override;
  bool is_over() override;
  void obey(load::Order order) override;
  void arrived();
  void finish();

  // crowd_clients.cpp: the life of one client.
  void start(std::uint64_t number, TimePoint begun) override;
  void on_events(load::Connection& connection, std::uint32_t events) override;
  void on_due(load::Connection& connection) override;
  void on_error(load::Connection& connection, int code) override;
  void receive(Client& client);
  void flush(Client& client);
  void restart_limit(Client& client, TimePoint now);
  void on_started(Client& client);
  void on_media_begun(Client& client);
  void on_media(Client& client, const Skimmed& message);
  void on_until(Client& client, Until reached);
  void settle(Client& client);
  void fail(Client& client, Problem problem, std::string_view detail);
  void end(Client& client, std::uint64_t& outcome);
  ClientCounts& counts_of(const Client& client);

  // crowd_publish.cpp: what publishers send.
  void begin_publication(Client& client);
  void send_due_frames(Client& client, TimePoint now);
  void append_frame(Client& client, bool video, TimePoint now);
  [[nodiscard]] TimePoint next_frame(const Client& client) const;

  const Settings& settings_;
  const SyntheticStream* const stream_;
  std::vector<Address> addresses_;  // by stream
  std::mt19937_64 random_;
  std::string hello_;  // C0C1 of every client

  TimePoint window_begun_{};
  Traffic before_window_;
  std::uint64_t on_their_way_ = 0;  // publish or play not answered yet
  std::uint64_t unsettled_ = 0;     // have not got yet what they came for
  bool players_may_start_;
  bool settled_ = false;
  bool finished_ = false;
  Tally tally_;
  std::vector<char> input_;
};

/// One publisher or player.
struct Crowd::Client final : load::Connection, SessionObserver {
  Client(Crowd& its_crowd, Session::Role its_role, const Address& address)
      : crowd(its_crowd), session(its_role, address), role(its_role) {}

  void on_accepted() override { crowd.tally_.accepted.record((received - begun).count()); }
  void on_started() override { crowd.on_started(*this); }
  void on_refused(std::string_view why) override { crowd.fail(*this, Problem::kRefused, why); }
  void on_media_begun() override { crowd.on_media_begun(*this); }
  void on_media(const Skimmed& message) override { crowd.on_media(*this, message); }

  Crowd& crowd;
  Session session;
  PlayerView view;
  std::uint32_t stream = 0;  // which of all
  TimePoint joined;          // players: play was answered
  TimePoint received;        // what is being looked at now
  std::string out;
  std::size_t sent = 0;  // of `out`
  Session::Role role;
  bool connected = false;
  bool settled = false;  // got what it came for
  bool has_media = false;

  // publishers
  bool publishing = false;
  TimePoint publication_begun;
  std::uint32_t publisher = 0;
  std::uint64_t next_video = 0;
  std::uint64_t next_audio = 0;
};

}  // namespace mpb::rtmp_load
