// The words for how clients are routed, as they are configured and as the status tells them.
#pragma once

#include <array>

#include "common/base/choice.hpp"
#include "common/config/settings.hpp"

namespace mpb {

inline constexpr std::array<Choice<Policy>, 4> kPolicies{{{"least", Policy::kLeast},
                                                          {"hash", Policy::kHash},
                                                          {"p2c", Policy::kP2c},
                                                          {"local", Policy::kLocal}}};
inline constexpr std::array<Choice<Overflow>, 2> kOverflows{
    {{"spill", Overflow::kSpill}, {"refuse", Overflow::kRefuse}}};
inline constexpr std::array<Choice<Isolation>, 3> kIsolations{
    {{"no", Isolation::kNo}, {"key", Isolation::kKey}, {"client", Isolation::kClient}}};
inline constexpr std::array<Choice<IsolateOverflow>, 2> kIsolateOverflows{
    {{"share", IsolateOverflow::kShare}, {"refuse", IsolateOverflow::kRefuse}}};

}  // namespace mpb
