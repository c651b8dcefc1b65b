// A worker program (mpbroker --worker-program) that is mpworker and answers the operator's
// questions besides, as if it had streams: in each slot ORACLE_STREAMS (default: 1) of vhost
// "a.test", app "live", and the name "sSLOT" with a number behind it for all but the first. A
// stream that is kicked is gone.
#include <fmt/format.h>

#include <cstdlib>
#include <set>
#include <string>

#include "common/answers/record.hpp"
#include "mpbroker/worker.hpp"
#include "worker/echo_handler.hpp"
#include "worker/worker_environment.hpp"

namespace {

class Oracle {
 public:
  explicit Oracle(mpb::WorkerEnvironment& environment) : environment_(environment) {
    environment.answer("streams", [this](std::string_view) { return streams(); });
    environment.answer("kick", [this](std::string_view stream) { return kick(stream); });
  }

 private:
  static int variable(const char* name, int otherwise) {
    const char* value = std::getenv(name);
    return value != nullptr ? std::atoi(value) : otherwise;
  }
  [[nodiscard]] std::string name(int number) const {
    return fmt::format("s{}{}", environment_.slot(),
                       number == 0 ? std::string() : fmt::format("-{}", number));
  }
  [[nodiscard]] mpb::AnswerContent streams() const {
    mpb::Listing<mpb::StreamEntry> listing;
    for (int i = 0; i < variable("ORACLE_STREAMS", 1); ++i) {
      if (kicked_.contains("a.test/live/" + name(i))) continue;
      listing.entries.push_back({"a.test", "live", name(i), fmt::format("192.0.2.1:{}", i), "avc1",
                                 "mp4a", 1280, 720, 29.97, 2500, 5000, 2, 3, 1, 3661, 0, 0});
    }
    return content_of(listing);
  }
  mpb::AnswerContent kick(std::string_view stream) {
    mpb::Listing<mpb::KickEntry> listing;
    for (int i = 0; i < variable("ORACLE_STREAMS", 1); ++i) {
      if (stream == "a.test/live/" + name(i) && kicked_.insert(std::string(stream)).second) {
        listing.totals.kicked = 3;
      }
    }
    return content_of(listing);
  }

  mpb::WorkerEnvironment& environment_;
  std::set<std::string, std::less<>> kicked_;
};

}  // namespace

int main(int argc, char** argv) {
  mpb::Registry registry;
  mpb::add_echo(registry);
  registry.add_handler("control", "echo", [](mpb::Environment& environment, auto&) {
    static_cast<mpb::WorkerEnvironment&>(environment).shared<Oracle>();
    return std::make_unique<mpb::ControlEcho>();
  });
  return mpb::worker_main(argc, argv, registry);
}
