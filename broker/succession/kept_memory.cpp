#include "broker/succession/kept_memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

namespace mpb {
namespace {

constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

}  // namespace

KeptMemory::~KeptMemory() {
  if (!memory_.empty()) ::munmap(memory_.data(), memory_.size());
}

Status KeptMemory::make(const char* name) {
  UniqueFd file(::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file) return system_error("memfd_create");
  if (::ftruncate(file.get(), static_cast<off_t>(size_)) != 0) return system_error("ftruncate");
  if (::fcntl(file.get(), F_ADD_SEALS, kSeals) != 0) return system_error("F_ADD_SEALS");
  file_ = std::move(file);
  return map();
}

Status KeptMemory::open(UniqueFd file) {
  struct stat status {};
  const int seals = ::fcntl(file.get(), F_GET_SEALS);
  // Else whoever cuts it off kills whoever reads it.
  if (seals < 0 || (seals & kSeals) != kSeals) return protocol_error("it has not the seals");
  if (::fstat(file.get(), &status) != 0 || static_cast<std::size_t>(status.st_size) != size_) {
    return protocol_error("it has another size");
  }
  file_ = std::move(file);
  return map();
}

Status KeptMemory::map() {
  void* at = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0);
  if (at == MAP_FAILED) return system_error("mmap");
  memory_ = {static_cast<std::byte*>(at), size_};
  return {};
}

}  // namespace mpb
