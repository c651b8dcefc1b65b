// floor_direct as a plain program of Boost.Asio: processes that share a listening socket, a
// coroutine for each client. Asio watches the listener by itself, so all of them are woken.
#include <unistd.h>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>

#include "bench/floors/control_coroutine.hpp"
#include "bench/floors/floor_process.hpp"

namespace mpb::bench {
namespace {

namespace asio = boost::asio;
using Protocol = asio::generic::stream_protocol;
using Acceptor = asio::basic_socket_acceptor<Protocol>;

asio::awaitable<void> serve(Protocol::socket client, ServedBy self) {
  try {
    co_await serve_control(client, self, 0);
  } catch (const boost::system::system_error&) {  // it has left
  }
}

asio::awaitable<void> accept_clients(Acceptor& acceptor, ServedBy self) {
  for (;;) {
    auto client = co_await acceptor.async_accept(asio::use_awaitable);
    asio::co_spawn(acceptor.get_executor(), serve(std::move(client), self), asio::detached);
  }
}

void run_worker(int slot, const UniqueFd& listener, int family) {
  asio::io_context context(1);
  Acceptor acceptor(context, Protocol(family, 0), listener.get());
  asio::co_spawn(context, accept_clients(acceptor, {slot, ::getpid()}),
                 [](const std::exception_ptr&) { fail("accepting"); });
  context.run();
}

constexpr Option<FloorOptions> kOptions[] = {kListenOption, kWorkersOption,
                                             help_option<FloorOptions>(kFloorGroup)};
constexpr Program<FloorOptions> kProgram{
    "floor_asio", kOptions, "floor_asio: a server of the control protocol by Boost.Asio alone\n"};

}  // namespace
}  // namespace mpb::bench

int main(int argc, char** argv) {
  using namespace mpb::bench;
  return run_floor(argc, argv, kProgram, [](int slot, const mpb::UniqueFd& listener) {
    run_worker(slot, listener, mpb::local_endpoint(listener.get())->family());
  });
}
