// Protocol rtmp: `relay` or `forward` serves a client, as the vhost says that its connect names.
#pragma once

#include "mpbroker/handler.hpp"
#include "worker/rtmp/forward/forward.hpp"
#include "worker/rtmp/relay/relay_handler.hpp"
#include "worker/worker_environment.hpp"

namespace mpb::rtmp {

class RtmpHandler final : public Handler {
 public:
  /// `traits` has the listener's choice, for vhosts without one of their own.
  RtmpHandler(WorkerEnvironment& environment, const ListenerTraits& traits);

  Step on_bytes(Client& client, std::string_view bytes, std::string& out) override;
  void on_writable(Client& client) override;
  std::string export_state(const Client& client) override;
  bool import_state(Client& client, std::string_view state) override;
  std::string refusal(const Client& client, std::string_view why) override;
  void on_slow(Client& client) override;
  void on_shortage(Client& client) override;
  void describe(const Client& client, Notice& notice) const override;
  void on_close(Client& client) override;

 private:
  /// Of a client that has one.
  Handler& handler_of(const Client& client);
  [[nodiscard]] const Handler& handler_of(const Client& client) const;
  /// Of one whose connect is there. Null: it is not.
  Handler* choose(const Client& client, std::string_view bytes, ConnectSearch& search);
  Handler& the_listeners();

  WorkerEnvironment& environment_;
  ListenerTraits traits_;
  RelayHandler relay_;
  Forward forward_;
};

}  // namespace mpb::rtmp
