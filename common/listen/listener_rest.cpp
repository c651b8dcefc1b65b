#include "common/listen/listener_rest.hpp"

#include <poll.h>
#include <sys/socket.h>

namespace mpb {

ListenerRest::~ListenerRest() {
  // Whoever shares it could make it listen again otherwise, beside the one that took its place.
  const int off = 0;
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEPORT, &off, sizeof off);
  ::shutdown(socket_.get(), SHUT_RDWR);
}

bool ListenerRest::is_over(TimePoint now) {
  pollfd queue{socket_.get(), POLLIN, 0};
  ::poll(&queue, 1, 0);
  if ((queue.revents & (POLLHUP | POLLERR)) != 0) return true;  // somebody has shut it down
  if ((queue.revents & POLLIN) != 0) quiet_since_ = now;
  return now - quiet_since_ >= kQuiet || now - made_ >= kLongest;
}

}  // namespace mpb
