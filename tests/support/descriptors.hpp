// Descriptors in tests: counting them, telling them apart, running out of them.
#pragma once

#include <sys/resource.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "common/base/unique_fd.hpp"

namespace mpb::test {

/// How many descriptors this process has open.
std::size_t open_descriptors();

/// Waits until what close_foreign() gave to threads is closed; false: it takes too long.
bool foreign_descriptors_closed();

/// A descriptor that `content_of` recognises, also after it was passed on.
UniqueFd make_tagged_fd(std::string_view content);
std::string content_of(int fd);

/// While it lives, this process can open no further descriptor.
class NoMoreDescriptors {
 public:
  NoMoreDescriptors();
  NoMoreDescriptors(const NoMoreDescriptors&) = delete;
  NoMoreDescriptors& operator=(const NoMoreDescriptors&) = delete;
  ~NoMoreDescriptors();

 private:
  rlimit before_{};
};

}  // namespace mpb::test
