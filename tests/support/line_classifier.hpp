// A protocol for tests: a client's first line is its key.
#pragma once

#include <string>
#include <string_view>

#include "mpbroker/classifier.hpp"

namespace mpb::test {

class LineClassifier final : public Classifier {
 public:
  [[nodiscard]] Verdict classify(std::string_view bytes, Classification& so_far) const override {
    const auto line = bytes.find('\n');
    if (line == std::string_view::npos) return {Verdict::Kind::kNeedMore};
    if (bytes.starts_with("who am I?")) {
      return {.kind = Verdict::Kind::kReject, .reply = so_far.peer->address()};
    }
    return {Verdict::Kind::kRoute, {}, line + 1, std::string(bytes.substr(0, line))};
  }
  [[nodiscard]] std::string_view busy_reply() const override { return "busy"; }
};

}  // namespace mpb::test
