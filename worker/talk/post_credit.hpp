// What a worker may post still: by the broker's credit, and by its own measure, so that letters to
// one receiver leave room for those to others. Pure: no I/O, no clock.
#pragma once

#include <cstdint>
#include <deque>
#include <map>

#include "proto/channel/message.hpp"

namespace mpb {

class PostCredit {
 public:
  /// `slot`: of the only receiver; kOperatorSlot: it is not one alone, or not known.
  [[nodiscard]] bool covers(std::uint16_t slot, std::uint32_t bytes) const {
    if (letters_ == 0 || bytes_ < bytes) return false;
    const auto share = shares_.find(slot);
    if (slot == channel::kOperatorSlot || share == shares_.end()) return true;
    return share->second.letters < channel::kShareLetters &&
           share->second.bytes + bytes <= channel::kShareBytes;
  }
  void use(std::uint16_t slot, std::uint32_t bytes) {
    --letters_;
    bytes_ -= bytes;
    posted_.push_back({slot, bytes});
    ++shares_[slot].letters;
    shares_[slot].bytes += bytes;
  }
  /// Credit does not say which letters it is for: the oldest are taken to have gone on. Where it is
  /// others, the broker has the last word on what may wait for one receiver.
  void add(std::uint32_t letters, std::uint32_t bytes) {
    letters_ += letters;
    bytes_ += bytes;
    for (; letters > 0 && !posted_.empty(); --letters) {
      const auto share = shares_.find(posted_.front().slot);
      share->second.bytes -= posted_.front().bytes;
      if (--share->second.letters == 0) shares_.erase(share);
      posted_.pop_front();
    }
  }

 private:
  struct Posted {
    std::uint16_t slot = 0;
    std::uint32_t bytes = 0;
  };
  struct Share {
    std::uint32_t letters = 0;
    std::uint32_t bytes = 0;
  };

  std::uint32_t letters_ = 0;
  std::uint32_t bytes_ = 0;
  std::deque<Posted> posted_;              // without credit for it again, the oldest first
  std::map<std::uint16_t, Share> shares_;  // the same, by slot
};

}  // namespace mpb
