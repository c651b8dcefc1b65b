#include "mpbroker/classifier.hpp"

namespace mpb {

Verdict Classifier::go_on(std::string_view bytes, Classification& so_far) const {
  Verdict verdict = classify(bytes, so_far);
  if (verdict.kind == Verdict::Kind::kNeedMore) {
    so_far.seen = bytes.size();
  } else {
    if (verdict.kind == Verdict::Kind::kReply) so_far.stage = verdict.stage;
    so_far.seen = 0;
    so_far.findings.reset();
  }
  return verdict;
}

}  // namespace mpb
