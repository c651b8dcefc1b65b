// The memory of all workers, added up around the ring and told to all of them.
//   mpbroker --listen 127.0.0.1:1990 --protocol ring --workers 4 --worker-program ./ring_worker
//   nc 127.0.0.1 1990      each line is answered: how many KiB, of which worker, as told to all
#include <fstream>

#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <mpbroker/asio.hpp>

using namespace std::chrono_literals;

static mpb::Bus* bus;
static std::string total = "not known yet";

static long memory_in_use() {  // KiB
  long all = 0;
  long resident = 0;
  std::ifstream("/proc/self/statm") >> all >> resident;
  return resident * 4;
}

static void begin(mpb::Environment& environment) {
  bus = &environment.bus();
  bus->on("add", [](mpb::Letter& letter) {
    const long sum = std::stol(std::string(letter.payload)) + memory_in_use();
    bus->reply(*letter.asked, std::to_string(sum));
  });
  bus->on("total", [](mpb::Letter& letter) { total = letter.payload; });
}

static boost::asio::awaitable<void> serve(mpb::AsioClient client) {
  for (std::string line;;) {
    co_await boost::asio::async_read_until(client.stream, boost::asio::dynamic_buffer(line, 4096),
                                           '\n', boost::asio::use_awaitable);
    line.clear();
    client.stream.write("before: " + total + "\n");
    const mpb::Ring ring = co_await mpb::ring(*bus, "add", "0", 1s);
    const std::string all = ring.payload + " KiB in " + std::to_string(ring.visited.size());
    bus->send(mpb::To::all(), "total", all);
    client.stream.write("total: " + all + "\n");
  }
}

static mpb::Verdict anybody(std::string_view) {
  return {mpb::Verdict::Kind::kLocal};
}

int main(int argc, char** argv) {
  mpb::AsioService service{"ring", anybody, serve};
  service.begin = begin;
  return mpb::serve(argc, argv, std::move(service));
}
