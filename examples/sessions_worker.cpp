// Sessions that outlive their worker: a client's first line is its session, each other line the
// name that it wants to have.
//   mpbroker --listen 127.0.0.1:1990 --protocol sessions --workers 3 --worker-program
//   ./sessions_worker
// The table `sessions` is in all workers. Kill one: whoever comes in its place knows everybody
// before its first client. `mpctl table sessions` shows it, `mpctl deny` keeps clients away.
#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <mpbroker/asio.hpp>
#include <mpbroker/shared.hpp>

static mpb::Verdict session_of(std::string_view bytes) {
  using Kind = mpb::Verdict::Kind;
  const auto id = bytes.substr(0, bytes.find('\n'));
  if (id.empty() || id.size() > 64) return {Kind::kReject, "bad session\n"};
  if (id.size() == bytes.size()) return {Kind::kNeedMore};
  return {Kind::kRoute, {}, id.size() + 1, std::string(id)};
}

static boost::asio::awaitable<void> serve(mpb::AsioClient client) {
  mpb::SharedMap& sessions = client.environment->shared().map("sessions");
  mpb::SharedMap& counts = client.environment->shared().map("counts");
  const auto session = sessions.get(client.key);
  std::string hello = session ? "hello " + std::string(session->value) : "who are you?";
  const mpb::TableResult visits = co_await counts.async_add("visits", 1);
  client.stream.write(hello + " (visit " + std::to_string(visits.sum) + ")\n");
  for (std::string text;;) {  // to the end of the client, which is an exception
    const auto size = co_await boost::asio::async_read_until(
        client.stream, boost::asio::dynamic_buffer(text, 4096), '\n', boost::asio::use_awaitable);
    const std::string name = text.substr(0, size - 1);
    text.erase(0, size);
    const auto kept = co_await sessions.async_put(client.key, name, std::chrono::hours(1));
    client.stream.write(kept ? "hello " + name + "\n"
                             : std::string(mpb::to_string(kept.outcome)) + "\n");
  }
}

int main(int argc, char** argv) {
  return mpb::serve(argc, argv, {"sessions", session_of, serve, "busy\n"});
}
