// Several functions as one, for std::visit: the one is called that takes the alternative at hand.
#pragma once

namespace mpb {

template <class... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <class... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;

}  // namespace mpb
