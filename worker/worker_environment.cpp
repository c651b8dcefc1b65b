#include "worker/worker_environment.hpp"

#include "common/asio/asio_host.hpp"

namespace mpb {

void WorkerEnvironment::tell(const Notice& notice, int socket) {
  notices.tell(notice, vhosts.find(notice.vhost)->name, socket, loop.now());
}

boost::asio::io_context& WorkerEnvironment::asio() {
  if (!asio_) asio_ = std::make_shared<AsioHost>(loop);
  return asio_->context();
}

}  // namespace mpb
