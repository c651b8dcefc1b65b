#include "guard/kept_descriptors.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace mpb::guard {

void KeptDescriptors::set_name(std::size_t index, std::string_view name) {
  name.copy(names_[index], kMaxName);
  names_[index][name.size()] = '\0';
}

void KeptDescriptors::begin(std::size_t count, std::string_view names, int room) {
  room_ = room;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t end = std::min(names.find(':'), names.size());
    const std::string_view name = names.substr(0, end);
    names.remove_prefix(std::min(end + 1, names.size()));
    if (!keep(is_name(name) ? name : std::string_view{})) ::close(kFirst + static_cast<int>(i));
  }
}

bool KeptDescriptors::keep(std::string_view name) {
  if (count_ == kMost || next() >= room_ || bytes_ + name.size() + 1 >= kMaxNames) return false;
  set_name(count_++, name);
  bytes_ += name.size() + 1;
  return true;
}

namespace {

/// What lies unread in a socket may take long to be closed: a connection with SO_LINGER is one that
/// somebody has put there to stop this process. Another process closes it.
void close_elsewhere(int descriptor) {
  int unread = 0;
  if (::ioctl(descriptor, FIONREAD, &unread) != 0 || unread == 0) return;
  if (::fork() != 0) return;
  if (descriptor > 0) ::close_range(0, static_cast<unsigned>(descriptor) - 1, 0);
  ::close_range(static_cast<unsigned>(descriptor) + 1, ~0U, 0);
  ::_exit(0);
}

}  // namespace

void KeptDescriptors::forget(std::string_view name) {
  for (std::size_t i = count_; i-- > 0;) {
    if (name_of(i) != name) continue;
    close_elsewhere(kFirst + static_cast<int>(i));
    bytes_ -= name.size() + 1;
    --count_;
    if (i != count_) {
      ::dup2(next(), kFirst + static_cast<int>(i));
      set_name(i, name_of(count_));
    }
    ::close(next());
  }
}

void KeptDescriptors::write_names(char* text) const {
  for (std::size_t i = 0; i < count_; ++i) {
    if (i > 0) *text++ = ':';
    const std::string_view name = name_of(i);
    std::memcpy(text, name.data(), name.size());
    text += name.size();
  }
  *text = '\0';
}

}  // namespace mpb::guard
