// Descriptors that are kept for the process that comes next, which has them as 3, 4, 5, ... (see
// sd_listen_fds(3)). They have these numbers in this process, too, one behind the other: nothing
// needs to be moved when it is started.
#pragma once

#include <cstddef>
#include <string_view>

#include "guard/notification.hpp"

namespace mpb::guard {

class KeptDescriptors {
 public:
  static constexpr int kFirst = 3;  // SD_LISTEN_FDS_START
  static constexpr std::size_t kMost = 16'384;
  /// Of all names with a ':' behind each: execve(2) takes 128 KiB in one variable.
  static constexpr std::size_t kMaxNames = 120'000;

  KeptDescriptors() = default;
  KeptDescriptors(const KeptDescriptors&) = delete;
  KeptDescriptors& operator=(const KeptDescriptors&) = delete;

  /// `count` are open as kFirst and so on; `names` are separated by ':', may be missing or too
  /// long, and then are empty. Above them nothing else may be open but from `room` on, where no
  /// descriptor is ever kept.
  void begin(std::size_t count, std::string_view names, int room);
  /// The next number after those that are kept: a descriptor that arrives gets it.
  [[nodiscard]] int next() const { return kFirst + static_cast<int>(count_); }
  /// Keeps the descriptor that is open as next(). False: there is no room.
  bool keep(std::string_view name);
  /// Closes all of this name.
  void forget(std::string_view name);

  [[nodiscard]] std::size_t count() const { return count_; }
  /// All names in order, separated by ':', with a zero behind. `text` has room for kMaxNames.
  void write_names(char* text) const;

 private:
  [[nodiscard]] std::string_view name_of(std::size_t index) const { return names_[index]; }
  void set_name(std::size_t index, std::string_view name);

  std::size_t count_ = 0;
  std::size_t bytes_ = 0;  // see kMaxNames
  int room_ = 0;
  char names_[kMost][kMaxName + 1];  // of static storage: pages that are not used cost nothing
};

}  // namespace mpb::guard
