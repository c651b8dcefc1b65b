// Bus: files in memory that nobody can change.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/unique_fd.hpp"
#include "mpbroker/bus.hpp"

namespace mpb {
namespace {

constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;

}  // namespace

int make_sealed(std::string_view bytes) {
  UniqueFd file(::memfd_create("mpb-letter", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  while (file && !bytes.empty()) {
    const ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return -1;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  if (!file || ::fcntl(file.get(), F_ADD_SEALS, kSeals) != 0) return -1;
  return file.release();
}

std::optional<std::string> read_sealed(int descriptor, std::size_t most) {
  const int seals = ::fcntl(descriptor, F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals) return std::nullopt;
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) return std::nullopt;
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size > most) return std::nullopt;
  std::string bytes(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    const ssize_t count =
        ::pread(descriptor, bytes.data() + done, size - done, static_cast<off_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return std::nullopt;
    done += static_cast<std::size_t>(count);
  }
  return bytes;
}

}  // namespace mpb
