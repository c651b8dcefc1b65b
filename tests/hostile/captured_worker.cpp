// A worker program whose client has taken it over: its handler makes the system calls that the
// client names, one a line, and answers with what became of it: "ok" or the name of an error. It is
// confined as any program made with the worker library is. From the environment:
//   CAPTURED_NEEDS  what its handler declares: "connect listen programs write=FOLDER", any of them
//   CAPTURED_BARE   set: it does not confine itself, as a program without the library would not
#include <cstdlib>
#include <cstring>
#include <memory>
#include <sstream>
#include <string>

#include "mpbroker/worker.hpp"
#include "tests/hostile/captured_calls.hpp"

namespace mpb::hostile {
namespace {

class LineClassifier final : public Classifier {
 public:
  [[nodiscard]] Verdict classify(std::string_view, Classification&) const override {
    return {Verdict::Kind::kLocal};
  }
};

std::string carry_out(const std::string& line) {
  std::istringstream words(line);
  std::string name;
  CallTarget target;
  words >> name >> target.pid >> target.place;
  const CapturedCall* call = find_captured_call(name);
  if (call == nullptr) return "no such call";
  const int error = call->run(target);
  return error == 0 ? "ok" : ::strerrorname_np(error);
}

class Captured final : public Handler {
 public:
  Step on_bytes(Client&, std::string_view bytes, std::string& out) override {
    const auto end = bytes.find('\n');
    if (end == std::string_view::npos) return {};
    out = carry_out(std::string(bytes.substr(0, end))) + std::string(1, '\0');
    return {Step::Next::kContinue, end + 1};
  }
};

Needs declared() {
  const char* text = std::getenv("CAPTURED_NEEDS");
  std::istringstream words(text != nullptr ? text : "");
  constexpr std::string_view kWrite = "write=";
  Needs needs;
  for (std::string word; words >> word;) {
    needs.connect = needs.connect || word == "connect";
    needs.listen = needs.listen || word == "listen";
    needs.programs = needs.programs || word == "programs";
    if (word.starts_with(kWrite)) needs.write.push_back(word.substr(kWrite.size()));
  }
  return needs;
}

}  // namespace
}  // namespace mpb::hostile

int main(int argc, char** argv) {
  using namespace mpb::hostile;
  if (std::getenv("CAPTURED_BARE") != nullptr) ::unsetenv("MPBROKER_SANDBOX");
  mpb::Registry registry;
  registry.add_protocol("ping", "captured",
                        [](auto&, auto&) { return std::make_unique<LineClassifier>(); });
  registry.add_handler(
      "ping", "captured", [](auto&, auto&) { return std::make_unique<Captured>(); }, declared());
  if (std::getenv("CAPTURED_EARLY") != nullptr) registry.confine_early();
  return mpb::worker_main(argc, argv, registry);
}
