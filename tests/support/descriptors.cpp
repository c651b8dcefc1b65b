#include "tests/support/descriptors.hpp"

#include <fcntl.h>
#include <sys/mman.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <stdexcept>
#include <thread>

#include "common/base/error.hpp"
#include "common/io/foreign_descriptor.hpp"

namespace mpb::test {

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  // The iterator itself holds one.
  return static_cast<std::size_t>(std::distance(all, std::filesystem::directory_iterator{})) - 1;
}

bool foreign_descriptors_closed() {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(40);
  while (descriptors_closing() != 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return descriptors_closing() == 0;
}

UniqueFd make_tagged_fd(std::string_view content) {
  UniqueFd fd(::memfd_create("tagged", MFD_CLOEXEC));
  if (!fd || ::pwrite(fd.get(), content.data(), content.size(), 0) !=
                 static_cast<ssize_t>(content.size())) {
    throw std::runtime_error(system_error("memfd_create or pwrite").text);
  }
  return fd;
}

std::string content_of(int fd) {
  std::array<char, 64> bytes{};
  const ssize_t size = ::pread(fd, bytes.data(), bytes.size(), 0);
  return size < 0 ? system_error("pread").text : std::string(bytes.data(), bytes.data() + size);
}

NoMoreDescriptors::NoMoreDescriptors() {
  ::getrlimit(RLIMIT_NOFILE, &before_);
  // The lowest free number: with the limit there, all numbers below are taken.
  UniqueFd lowest(::fcntl(0, F_DUPFD_CLOEXEC, 0));
  if (!lowest) lowest.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!lowest) throw std::runtime_error(system_error("open").text);
  const rlimit none{static_cast<rlim_t>(lowest.get()), before_.rlim_max};
  if (::setrlimit(RLIMIT_NOFILE, &none) != 0) {
    throw std::runtime_error(system_error("setrlimit").text);
  }
}

NoMoreDescriptors::~NoMoreDescriptors() {
  ::setrlimit(RLIMIT_NOFILE, &before_);
}

}  // namespace mpb::test
