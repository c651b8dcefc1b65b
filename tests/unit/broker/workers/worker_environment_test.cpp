#include "broker/workers/worker_environment.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace mpb {
namespace {

using Texts = std::vector<std::string>;

Texts sorted(Texts texts) {
  std::sort(texts.begin(), texts.end());
  return texts;
}

constexpr const char* kOwn[] = {"PATH=/bin",     "NOTIFY_SOCKET=/run/x", "LC_TIME=C", "TZ=UTC",
                                "SECRET=hidden", "no-variable",          "EMPTY=",    nullptr};

TEST(WorkerEnvironment, HasWhatAllNeedAndNothingElse) {
  EXPECT_EQ(sorted(worker_environment(kOwn, {})), (Texts{"LC_TIME=C", "PATH=/bin", "TZ=UTC"}));
}

TEST(WorkerEnvironment, HasWhatTheOperatorNamed) {
  const Texts wanted{"SECRET", "ABSENT", "EMPTY", "TZ=CET", "A=b=c", "A=d"};
  EXPECT_EQ(sorted(worker_environment(kOwn, wanted)),
            (Texts{"A=d", "EMPTY=", "LC_TIME=C", "PATH=/bin", "SECRET=hidden", "TZ=CET"}));
}

}  // namespace
}  // namespace mpb
