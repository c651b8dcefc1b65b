// `control` and `ping`: whom their clients belong to.
#pragma once

#include <string_view>

#include "mpbroker/classifier.hpp"

namespace mpb {

/// `control`: a client belongs to the id of its first 'C'; before that anybody may answer it.
class ControlClassifier final : public Classifier {
 public:
  [[nodiscard]] Verdict classify(std::string_view bytes, Classification& so_far) const override;
  [[nodiscard]] std::string_view busy_reply() const override;
};

/// `ping`: nobody owns a client.
class PingClassifier final : public Classifier {
 public:
  [[nodiscard]] Verdict classify(std::string_view bytes, Classification& so_far) const override;
  [[nodiscard]] std::string_view busy_reply() const override;
};

}  // namespace mpb
