// A worker program of your own: a protocol, who serves it, and main.
//
//   mpbroker --listen 127.0.0.1:1990 --protocol room --worker-program ./shout_worker
//   printf 'kitchen\nhello\n' | nc -N 127.0.0.1 1990        # prints: HELLO
//
// A client's first line names a room, its other lines are shouted back. All clients of a room meet
// in one process, whichever accepted them: what they share could be a plain variable of it.
#include <cctype>
#include <memory>
#include <string>
#include <string_view>

#include <mpbroker/worker.hpp>

namespace {

/// Says from a client's first bytes whom it belongs to. Pure: however they are cut into pieces, the
/// verdict is the same.
class RoomClassifier final : public mpb::Classifier {
 public:
  [[nodiscard]] mpb::Verdict classify(std::string_view bytes, mpb::Classification&) const override {
    using Kind = mpb::Verdict::Kind;
    const auto name = bytes.substr(0, bytes.find('\n'));
    if (name.size() > 64 || bytes.front() == '\n') return {Kind::kReject, "bad name of a room\n"};
    if (name.size() == bytes.size()) return {Kind::kNeedMore};
    // The first line has done its work: the handler gets what is behind it.
    return {Kind::kRoute, {}, name.size() + 1, std::string(name)};
  }
  [[nodiscard]] std::string_view busy_reply() const override { return "busy\n"; }
};

/// Serves all clients of the listener in this process. One thread: it must not block.
class Shout final : public mpb::Handler {
 public:
  mpb::Step on_bytes(mpb::Client&, std::string_view bytes, std::string& out) override {
    const auto lines = bytes.substr(0, bytes.rfind('\n') + 1);  // the rest comes again, with more
    for (const unsigned char c : lines) out += static_cast<char>(std::toupper(c));
    const bool too_long = bytes.size() - lines.size() > 1000;
    return {too_long ? mpb::Step::Next::kReject : mpb::Step::Next::kContinue, lines.size()};
  }
};

}  // namespace

int main(int argc, char** argv) {
  mpb::Registry registry;
  registry.add_protocol("room", "shout",
                        [](auto&, auto&) { return std::make_unique<RoomClassifier>(); });
  // It needs nothing besides its clients. One that connects to others, or keeps files, declares it
  // ({.connect = true, .write = {"/var/lib/room"}}): its workers have nothing else once ready.
  registry.add_handler("room", "shout", [](auto&, auto&) { return std::make_unique<Shout>(); });
  return mpb::worker_main(argc, argv, registry);
}
