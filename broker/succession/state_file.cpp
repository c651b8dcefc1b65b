#include "broker/succession/state_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

namespace mpb {
namespace {

/// Most of it is never touched, and takes no memory then.
constexpr std::size_t kSize = 2 * (64UL << 20U);
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

}  // namespace

StateFile::~StateFile() {
  if (!memory_.empty()) ::munmap(memory_.data(), memory_.size());
}

Status StateFile::make() {
  UniqueFd file(::memfd_create("mpb-state", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file) return system_error("memfd_create");
  if (::ftruncate(file.get(), kSize) != 0) return system_error("ftruncate of the state");
  if (::fcntl(file.get(), F_ADD_SEALS, kSeals) != 0) return system_error("F_ADD_SEALS");
  file_ = std::move(file);
  return map();
}

Status StateFile::open(UniqueFd file) {
  struct stat status {};
  const int seals = ::fcntl(file.get(), F_GET_SEALS);
  // Else whoever cuts it off kills whoever reads it.
  if (seals < 0 || (seals & kSeals) != kSeals) return protocol_error("it has not the seals");
  if (::fstat(file.get(), &status) != 0 || status.st_size != kSize) {
    return protocol_error("it has another size");
  }
  file_ = std::move(file);
  return map();
}

Status StateFile::map() {
  void* at = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0);
  if (at == MAP_FAILED) return system_error("mmap of the state");
  memory_ = {static_cast<std::byte*>(at), kSize};
  pages_.emplace(memory_);
  return {};
}

std::optional<std::string_view> StateFile::read() const {
  return pages_ ? pages_->read() : std::nullopt;
}

}  // namespace mpb
