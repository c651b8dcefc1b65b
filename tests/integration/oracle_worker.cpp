// A worker program (mpbroker --worker-program) that is mpworker and answers the operator's
// questions besides, as if it had streams: in each slot ORACLE_STREAMS (default: 1) of vhost
// "a.test", app "live", and the name "sSLOT" with a number behind it for all but the first. A
// stream that is kicked is gone.
#include <fmt/format.h>

#include <cstdlib>
#include <set>
#include <string>

#include "mpbroker/worker.hpp"
#include "worker/echo_handler.hpp"

namespace {

class Oracle {
 public:
  explicit Oracle(mpb::Environment& environment) : environment_(environment) {
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
  [[nodiscard]] std::string streams() const {
    std::string list;
    for (int i = 0; i < variable("ORACLE_STREAMS", 1); ++i) {
      if (kicked_.contains("a.test/live/" + name(i))) continue;
      list += fmt::format(
          R"({}{{"vhost":"a.test","app":"live","stream":"{}","publisher":"192.0.2.1:{}",)"
          R"("video":"avc1","audio":"mp4a","width":1280,"height":720,"fps":29.97,"kbps_in":2500,)"
          R"("kbps_out":5000,"players":2,"drops":3,"cut":1,"age_s":3661}})",
          list.empty() ? "" : ",", name(i), i);
    }
    return fmt::format(R"({{"streams":[{}]}})", list);
  }
  std::string kick(std::string_view stream) {
    for (int i = 0; i < variable("ORACLE_STREAMS", 1); ++i) {
      if (stream == "a.test/live/" + name(i) && kicked_.insert(std::string(stream)).second) {
        return R"({"kicked":3})";
      }
    }
    return R"({"kicked":0})";
  }

  mpb::Environment& environment_;
  std::set<std::string, std::less<>> kicked_;
};

}  // namespace

int main(int argc, char** argv) {
  mpb::Registry registry;
  mpb::add_echo(registry);
  registry.add_handler("control", "echo", [](mpb::Environment& environment, auto&) {
    environment.shared<Oracle>();
    return std::make_unique<mpb::ControlEcho>();
  });
  return mpb::worker_main(argc, argv, registry);
}
