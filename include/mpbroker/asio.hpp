// A worker whose whole service is one coroutine for each client:
//
//   boost::asio::awaitable<void> echo(mpb::AsioClient client) {
//     std::array<char, 4096> bytes;
//     while (true) {
//       const auto size = co_await client.stream.async_read_some(
//           boost::asio::buffer(bytes), boost::asio::use_awaitable);
//       co_await boost::asio::async_write(client.stream, boost::asio::buffer(bytes, size),
//                                         boost::asio::use_awaitable);
//     }
//   }
//
// All coroutines of a worker run in its one thread, so what they share needs no lock, and none may
// block. g++ 12 destroys aggregates and capturing lambdas that are temporaries of a co_await
// expression twice: give them a name.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include <boost/asio/awaitable.hpp>

#include "mpbroker/asio_stream.hpp"
#include "mpbroker/bus.hpp"
#include "mpbroker/classifier.hpp"
#include "mpbroker/worker.hpp"

namespace mpb {

/// A client that is this worker's.
struct AsioClient {
  AsioClient(AsioStream its_stream, std::string its_key, std::uint16_t its_hops,
             Environment& its_environment)
      : stream(std::move(its_stream)),
        key(std::move(its_key)),
        hops(its_hops),
        environment(&its_environment) {}

  AsioStream stream;         // begins with the first byte that the classifier did not consume
  std::string key;           // to whom the client belongs
  std::uint16_t hops;        // how often it was handed over
  Environment* environment;  // the worker's
};

struct AsioService {
  std::string protocol;  // the name in `--protocol`
  /// To whom a client belongs, by all that it has sent; pure (mpbroker/classifier.hpp). Called
  /// again with more after Kind::kNeedMore.
  std::function<Verdict(std::string_view bytes)> key_of;
  /// Serves one client, from when it is this worker's, though it says nothing more. The client
  /// ends with its stream: when this returns or throws, unless the stream was moved elsewhere. One
  /// that sends no more is read to its end (eof) and may still be answered. When it is gone,
  /// whatever the coroutine waits for is cancelled (operation_aborted). Exceptions that do not come
  /// of clients' going are logged (`coroutine.failed`).
  std::function<boost::asio::awaitable<void>(AsioClient client)> serve;
  std::string busy{};  // what a client is told that no worker can take
  Needs needs{};       // what `serve` needs besides its clients
  /// Called once for each listener, before its first client: where letters are subscribed to.
  std::function<void(Environment&)> begin{};
};

/// Bus::request() for coroutines; Loss::kFull: there was no room for the letter.
boost::asio::awaitable<Reply> request(Bus& bus, To to, std::string topic, std::string payload,
                                      Bus::Time timeout);
/// Bus::gather() and Bus::ring() likewise.
boost::asio::awaitable<Gathered> gather(Bus& bus, std::string topic, std::string payload,
                                        Bus::Time timeout);
boost::asio::awaitable<Ring> ring(Bus& bus, std::string topic, std::string payload,
                                  Bus::Time timeout);

/// For a worker that has other protocols, too.
void add_service(Registry& registry, AsioService service);

/// The main function of a worker that has this one alone; without a broker it must be started with
/// `--protocol`, too. Returns the exit code, as worker_main does.
int serve(int argc, char** argv, AsioService service);

}  // namespace mpb
