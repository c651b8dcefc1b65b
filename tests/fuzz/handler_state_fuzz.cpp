// What travels with a client, in the words of each handler that mpworker has: any bytes are a state
// or are refused; what a handler exports, it takes; and a client with any state can send anything.
// The first byte says which handler, the next two how long the state is; then what the client
// sends.
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/io/event_loop.hpp"
#include "mpbroker/rtmp.hpp"
#include "proto/channel/message.hpp"
#include "tests/fuzz/check.hpp"
#include "worker/worker_environment.hpp"

namespace {

using namespace mpb;  // NOLINT(*-build-using-namespace)

/// A client that reads all it is sent.
class Reader final : public Connection {
 public:
  std::optional<std::size_t> send(std::span<const iovec> slices) override {
    std::size_t size = 0;
    for (const iovec& slice : slices) size += slice.iov_len;
    return size;
  }
  bool write(std::string_view) override { return false; }
  std::optional<std::size_t> send_file(int, off_t, std::size_t size) override { return size; }
  void proceed() override { proceeds = true; }
  void finish() override { ended = true; }
  void close_slow() override { ended = true; }
  void exempt_from_idle(bool) override {}
  void note_progress(bool) override {}
  [[nodiscard]] int descriptor() const override { return -1; }

  bool proceeds = false;
  bool ended = false;
};

/// A client of one handler, as a Session treats it.
class Guest {
 public:
  explicit Guest(Handler& handler) : handler_(handler) {
    client_.key = "a.test";
    client_.connection = &connection_;
  }
  ~Guest() { handler_.on_close(client_); }
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;

  bool import(std::string_view state) { return handler_.import_state(client_, state); }
  std::string exported() const { return handler_.export_state(client_); }

  /// Until it wants no more.
  void send(std::string_view bytes) {
    while (!connection_.ended) {
      std::string output;
      const Step step = handler_.on_bytes(client_, bytes, output);
      MPB_FUZZ_REQUIRE(step.consumed <= bytes.size());
      bytes.remove_prefix(step.consumed);
      if (step.next == Step::Next::kYield) {
        handler_.on_writable(client_);
        continue;
      }
      if (step.next == Step::Next::kContinue && step.consumed > 0 && !bytes.empty()) continue;
      if (step.next == Step::Next::kMove) MPB_FUZZ_REQUIRE(step.key != client_.key);
      return;
    }
  }

 private:
  Handler& handler_;
  Reader connection_;
  Client client_;
};

/// One of all handlers. The registry outlives all inputs.
std::unique_ptr<Handler> make_handler(std::size_t which, WorkerEnvironment& environment) {
  static const Registry registry = [] {
    Registry all;
    add_echo(all);
    add_rtmp(all);
    return all;
  }();
  static const auto factories = [] {
    std::vector<const Registry::HandlerFactory*> found;
    for (const auto& [name, protocol] : registry.protocols()) {
      for (const auto& [handler, serving] : protocol.handlers) found.push_back(&serving.factory);
    }
    return found;
  }();
  return (*factories[which % factories.size()])(environment, {});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  std::string_view rest(reinterpret_cast<const char*>(data) + 3, size - 3);
  const std::string_view state = rest.substr(0, data[1] | std::size_t{data[2]} << 8U);
  rest.remove_prefix(state.size());

  EventLoop loop;
  WorkerEnvironment environment(loop);
  const auto handler = make_handler(data[0], environment);
  Guest guest(*handler);
  if (!state.empty() && !guest.import(state)) return 0;
  const std::string exported = guest.exported();
  Guest elsewhere(*handler);
  if (!exported.empty() && elsewhere.import(exported)) {
    MPB_FUZZ_REQUIRE(elsewhere.exported() == exported);
  }
  guest.send(rest);
  loop.turn(Duration{0});
  return 0;
}
