// Every classifier: any split of the bytes gives the same verdict, because a verdict once given on
// a prefix is given on every longer one.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "proto/control/classifier.hpp"
#include "tests/fuzz/check.hpp"
#include "tests/support/first_verdict.hpp"

namespace {

using mpb::Verdict;

/// Prefixes of all lengths up to here; further on in steps, for the sake of long inputs.
constexpr std::size_t kEveryLength = 256;
constexpr std::size_t kStep = 61;

void check(const mpb::Classifier& classifier, std::string_view bytes) {
  std::optional<Verdict> first;
  mpb::Classification so_far;
  std::size_t length = 0;
  while (true) {
    const std::string_view prefix = bytes.substr(0, length);
    const Verdict now = mpb::test::first_verdict(classifier, prefix);
    if (!first) {
      const Verdict told = classifier.go_on(prefix, so_far);
      MPB_FUZZ_REQUIRE(told.kind == now.kind && told.key == now.key && told.text == now.text);
    }
    MPB_FUZZ_REQUIRE(now.consumed <= prefix.size());
    MPB_FUZZ_REQUIRE(now.kind == Verdict::Kind::kRoute || now.key.empty());
    if (first) {
      MPB_FUZZ_REQUIRE(now.kind == first->kind && now.key == first->key);
      MPB_FUZZ_REQUIRE(now.text == first->text && now.consumed == first->consumed);
    } else if (now.kind != Verdict::Kind::kNeedMore) {
      first = now;
    }
    if (length == bytes.size()) return;
    length = length < kEveryLength ? length + 1 : std::min(length + kStep, bytes.size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static const mpb::ControlClassifier control;
  static const mpb::PingClassifier ping;
  check(control, bytes);
  check(ping, bytes);
  return 0;
}
