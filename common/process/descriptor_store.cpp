#include "common/process/descriptor_store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string_view>

#include "common/base/unique_fd.hpp"
#include "common/process/service_manager.hpp"

namespace mpb {
namespace {

constexpr Duration kSendLimit{2'000};  // a holder that takes nothing for so long is not there

std::string_view told_holder() {
  const char* value = std::getenv("MPBROKER_HOLDER");
  return value == nullptr ? "" : value;
}

}  // namespace

std::optional<Holder> holder() {
  if (told_holder() == "guard") return Holder::kGuard;
  if (told_holder() == "systemd") return Holder::kSystemd;
  return std::nullopt;
}

bool was_told_of_holder() {
  return !told_holder().empty();
}

bool follows_another() {
  const char* names = std::getenv("LISTEN_FDNAMES");
  return names != nullptr && std::string_view(names).find(kHeldState) != std::string_view::npos;
}

Status DescriptorStore::keep(std::string_view name, int descriptor) {
  if (!held_) return {};
  // systemd would drop a channel whose other end is closed, and what is in it (FDPOLL=0, since
  // 246).
  return send_to_service_manager(fmt::format("FDSTORE=1\nFDPOLL=0\nFDNAME={}", name), descriptor,
                                 kSendLimit);
}

void DescriptorStore::forget(std::string_view name) {
  if (!held_) return;
  (void)send_to_service_manager(fmt::format("FDSTOREREMOVE=1\nFDNAME={}", name), -1, kSendLimit);
}

Status DescriptorStore::confirm(Duration limit) {
  if (!held_) return {};
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return system_error("make a pipe");
  const UniqueFd reading(ends[0]);
  {
    const UniqueFd writing(ends[1]);
    const Status sent = send_to_service_manager("BARRIER=1", writing.get(), limit);
    if (!sent) return sent;
  }
  pollfd closed{reading.get(), 0, 0};
  if (::poll(&closed, 1, static_cast<int>(limit.count())) == 1) return {};
  return unavailable_error(
      fmt::format("the service manager has not answered for {} ms", limit.count()));
}

}  // namespace mpb
