#include "worker/environment.hpp"

#include "common/asio/asio_host.hpp"

namespace mpb {

void Environment::tell(const Notice& notice, int socket) {
  notices.tell(notice, vhosts.find(notice.vhost)->name, socket, loop.now());
}

boost::asio::io_context& Environment::asio() {
  if (!asio_) asio_ = std::make_shared<AsioHost>(loop);
  return asio_->context();
}

}  // namespace mpb
