// What a classifier says of a new client's bytes.
#pragma once

#include <string_view>

#include "mpbroker/classifier.hpp"

namespace mpb::test {

inline Verdict first_verdict(const Classifier& classifier, std::string_view bytes) {
  Classification so_far;
  return classifier.classify(bytes, so_far);
}

}  // namespace mpb::test
