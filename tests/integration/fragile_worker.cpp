// A worker program (mpbroker --worker-program) that is mpworker, and whose process ends badly as
// soon as a client of key 13 of `control` comes to it.
#include <cstdlib>

#include "mpbroker/worker.hpp"
#include "worker/echo_handler.hpp"

namespace {

class Fragile final : public mpb::Handler {
 public:
  void on_open(mpb::Client& client) override {
    if (client.key == "13") std::_Exit(9);
  }
  mpb::Step on_bytes(mpb::Client& client, std::string_view bytes, std::string& out) override {
    return echo_.on_bytes(client, bytes, out);
  }

 private:
  mpb::ControlEcho echo_;
};

}  // namespace

int main(int argc, char** argv) {
  mpb::Registry registry;
  mpb::add_echo(registry);
  registry.add_handler("control", "echo", [](auto&, auto&) { return std::make_unique<Fragile>(); });
  return mpb::worker_main(argc, argv, registry);
}
