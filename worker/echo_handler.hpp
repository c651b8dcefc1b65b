// The `echo` handlers: the answers of the 2012 servers.
#pragma once

#include "mpbroker/handler.hpp"

namespace mpb {

/// `control`: the greeting for 'C' and 'M', this worker's identity for 'W'
/// (proto/control/control.hpp).
class ControlEcho final : public Handler {
 public:
  ControlEcho();
  Step on_bytes(Client& client, std::string_view bytes, std::string& out) override;

 private:
  void append_who(const Client& client, std::string& out) const;
  int pid_;
};

/// `ping`: the greeting for whatever arrives.
class PingEcho final : public Handler {
 public:
  Step on_bytes(Client& client, std::string_view bytes, std::string& out) override;
};

}  // namespace mpb
