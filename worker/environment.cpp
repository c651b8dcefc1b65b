#include "worker/environment.hpp"

namespace mpb {

void Environment::tell(const Notice& notice, int socket) {
  notices.tell(notice, vhosts.find(notice.vhost)->name, socket, loop.now());
}

}  // namespace mpb
