#include "worker/rtmp/relay/segment.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

namespace mpb::rtmp {
namespace {

constexpr unsigned kNoExecSeal = 8;  // MFD_NOEXEC_SEAL, Linux 6.3: systems may ask for it

std::size_t whole_pages(std::size_t size) {
  static const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return (size + page - 1) / page * page;
}

/// Whether the kernel may put memory of files into huge pages
/// (Documentation/admin-guide/mm/transhuge.rst). Of those a part cannot be given up: it is zeroed
/// where it is, also under a socket that has it.
bool uses_huge_pages() {
  namespace fs = std::filesystem;
  const fs::path root = "/sys/kernel/mm/transparent_hugepage";
  const auto allows = [](const fs::path& setting) {
    std::ifstream file(setting);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    for (const char* chosen : {"[always]", "[within_size]", "[force]"}) {
      if (text.find(chosen) != std::string::npos) return true;
    }
    return false;
  };
  if (allows(root / "shmem_enabled")) return true;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(root, error)) {
    if (allows(entry.path() / "shmem_enabled")) return true;
  }
  return false;
}

}  // namespace

SegmentFile::SegmentFile() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur != RLIM_INFINITY) {
    why_not_ = "the size of files is limited (RLIMIT_FSIZE)";  // and no place is used twice
  } else if (uses_huge_pages()) {
    why_not_ = "files in memory get huge pages (transparent_hugepage/shmem_enabled)";
  } else {
    fd_.reset(::memfd_create("mpb-streams", MFD_CLOEXEC | kNoExecSeal));
    if (!fd_) fd_.reset(::memfd_create("mpb-streams", MFD_CLOEXEC));
    if (!fd_) why_not_ = fmt::format("memfd_create: {}", std::strerror(errno));
  }
}

Segment::Segment(SegmentFile* file, std::size_t capacity) : file_(file), capacity_(capacity) {
  if (file_ != nullptr && file_->fd_) take_from_file();
  if (!in_file_) data_ = new char[capacity_];
  if (file_ != nullptr) file_->memory_ += capacity_;
}

void Segment::take_from_file() {
  const std::size_t whole = whole_pages(capacity_);
  const auto length = static_cast<off_t>(whole);
  const int fd = file_->fd();
  place_ = file_->end_;
  // Pages that are there before they are touched: that memory has run out shows here, and not by
  // SIGBUS later.
  if (::fallocate(fd, 0, place_, length) != 0) return;
  file_->end_ += length;
  void* const memory =
      ::mmap(nullptr, whole, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, place_);
  if (memory == MAP_FAILED) {
    ::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, place_, length);
    return;
  }
  data_ = static_cast<char*>(memory);
  capacity_ = whole;
  in_file_ = true;
}

Segment::Segment(Segment&& other) noexcept
    : file_(other.file_),
      in_file_(other.in_file_),
      data_(std::exchange(other.data_, nullptr)),
      size_(other.size_),
      capacity_(other.capacity_),
      place_(other.place_) {}

Segment::~Segment() {
  if (data_ == nullptr) return;
  if (file_ != nullptr) file_->memory_ -= capacity_;
  if (!in_file_) {
    delete[] data_;
    return;
  }
  ::munmap(data_, capacity_);
  // The file gives up its pages; a socket keeps those that it has yet to send.
  ::fallocate(file_->fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, place_,
              static_cast<off_t>(capacity_));
}

void Segment::append(std::string_view bytes) {
  std::memcpy(data_ + size_, bytes.data(), bytes.size());
  size_ += bytes.size();
}

std::optional<off_t> Segment::place() const {
  return in_file_ ? std::optional(place_) : std::nullopt;
}

}  // namespace mpb::rtmp
