#include "worker/environment.hpp"

#include "common/asio/asio_host.hpp"

namespace mpb {
namespace {

struct SharedAsio {
  explicit SharedAsio(Environment& environment) : host(environment.loop) {}
  AsioHost host;
};

}  // namespace

void Environment::tell(const Notice& notice, int socket) {
  notices.tell(notice, vhosts.find(notice.vhost)->name, socket, loop.now());
}

boost::asio::io_context& Environment::asio() {
  return shared<SharedAsio>().host.context();
}

}  // namespace mpb
