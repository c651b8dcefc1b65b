// A worker program (mpbroker --worker-program) that is mpworker, and whose process ends badly as
// soon as a client of key 13 of `control` comes to it; keys 14 and 15 need 256 MiB, and end badly
// without.
#include <cstdlib>
#include <cstring>

#include "mpbroker/worker.hpp"
#include "worker/echo_handler.hpp"

namespace {

class Fragile final : public mpb::Handler {
 public:
  void on_open(mpb::Client& client) override {
    if (client.key == "13") std::_Exit(9);
    if (client.key == "14" || client.key == "15") eat();
  }
  mpb::Step on_bytes(mpb::Client& client, std::string_view bytes, std::string& out) override {
    return echo_.on_bytes(client, bytes, out);
  }

 private:
  static void eat() {
    constexpr std::size_t kPiece = 1 << 20;
    for (int i = 0; i < 256; ++i) {
      void* piece = std::malloc(kPiece);
      if (piece == nullptr) std::abort();
      std::memset(piece, 1, kPiece);  // for good: nobody frees it
    }
  }

  mpb::ControlEcho echo_;
};

}  // namespace

int main(int argc, char** argv) {
  mpb::Registry registry;
  mpb::add_echo(registry);
  registry.add_handler("control", "echo", [](auto&, auto&) { return std::make_unique<Fragile>(); });
  return mpb::worker_main(argc, argv, registry);
}
