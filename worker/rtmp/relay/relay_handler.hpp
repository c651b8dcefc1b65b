// `relay`: a live RTMP server. Clients publish and play the streams of the worker they are in.
#pragma once

#include "mpbroker/handler.hpp"
#include "worker/rtmp/relay/relay_hub.hpp"
#include "worker/worker_environment.hpp"

namespace mpb::rtmp {

class RelayHandler final : public Handler {
 public:
  RelayHandler(WorkerEnvironment& environment, const ListenerTraits& traits)
      : hub_(environment.shared<RelayHub>()), traits_(traits) {}

  Step on_bytes(Client& client, std::string_view bytes, std::string& out) override;
  void on_writable(Client& client) override;
  std::string export_state(const Client& client) override;
  bool import_state(Client& client, std::string_view state) override;
  std::string refusal(const Client& client, std::string_view why) override;
  void on_slow(Client& client) override;
  void on_shortage(Client& client) override;
  void describe(const Client& client, Notice& notice) const override;
  void on_close(Client& client) override { client.state.reset(); }

 private:
  RelayHub& hub_;
  ListenerTraits traits_;
};

}  // namespace mpb::rtmp
