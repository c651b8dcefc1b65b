// The echo of mpworker's `control` as a worker of one's own whose service is a coroutine:
//   mpbroker --listen 127.0.0.1:1990 --protocol control-coroutine --worker-program ./asio_worker
#include <unistd.h>

#include "bench/floors/control_coroutine.hpp"
#include "mpbroker/asio.hpp"
#include "proto/control/classifier.hpp"
#include "proto/control/control.hpp"

static mpb::Verdict key_of(std::string_view bytes) {
  mpb::Classification so_far;
  return mpb::ControlClassifier().classify(bytes, so_far);
}

static boost::asio::awaitable<void> echo(mpb::AsioClient client) {
  // A coroutine is not told its worker's slot.
  const mpb::bench::ServedBy self{0, ::getpid()};
  co_await mpb::bench::serve_control(client.stream, self, static_cast<std::uint8_t>(client.hops));
}

int main(int argc, char** argv) {
  return mpb::serve(argc, argv,
                    {"control-coroutine", key_of, echo, std::string(mpb::control::kBusy)});
}
