// What is known of host names, and when one must be looked up (again). Pure: it is given the time.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "common/io/endpoint.hpp"
#include "common/io/event_loop.hpp"

namespace mpb {

class NameCache {
 public:
  using Addresses = std::vector<Endpoint>;  // in the order of preference; their ports mean nothing

  static constexpr Duration kHolds{30'000};        // addresses, until they are looked up again
  static constexpr Duration kFailureHolds{5'000};  // that there are none
  static constexpr Duration kDoubtedHolds{1'000};  // addresses that did not serve, or nobody asked
  static constexpr Duration kMaxStale{600'000};    // addresses that cannot be looked up again
  static constexpr std::size_t kMaxNames = 1'024;

  struct Known {
    enum class What { kAddresses, kNone, kNotYet } what = What::kNotYet;
    const Addresses* addresses = nullptr;  // kAddresses: until the next call
    std::string why;                       // kNone
    bool ours = false;                     // likewise: for want of something in this process
    bool look_up = false;                  // the caller must begin a look-up, whatever is known
  };
  Known ask(const std::string& name, TimePoint now);

  /// What an operator is told of a look-up.
  enum class News { kNothing, kFails, kIsBack };
  News found(const std::string& name, Addresses addresses, TimePoint now);
  /// How sure it is that there are no addresses.
  enum class Cause {
    kFinal,    // there is no such name
    kUnknown,  // it may be there, and nobody could tell
    kOurs,     // nobody could be asked, for want of something in this process
  };
  News failed(const std::string& name, std::string why, Cause cause, TimePoint now);

  /// Its addresses did not serve: others may be known by now.
  void doubt(const std::string& name);

 private:
  struct Entry {
    Addresses addresses;
    std::string why;  // empty: the last look-up was good
    TimePoint looked_up{};
    TimePoint found{};
    TimePoint asked{};
    bool under_way = false;
    bool doubted = false;
    bool ever = false;  // was looked up
    bool ours = false;  // the failure that `why` tells of
  };
  bool make_room();

  std::map<std::string, Entry> entries_;
};

}  // namespace mpb
