// A chat, whole: a client's first line names a room, its other lines are heard by all of the room.
//   mpbroker --listen 127.0.0.1:1990 --protocol chat --workers 3 --worker-program ./chat_worker
// All members of a room meet in one process, whichever accepted them: a room is a plain set.
#include <map>
#include <set>

#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <mpbroker/asio.hpp>

static std::map<std::string, std::set<mpb::AsioStream*>> rooms;

static mpb::Verdict room_of(std::string_view bytes) {
  using Kind = mpb::Verdict::Kind;
  const auto name = bytes.substr(0, bytes.find('\n'));
  if (name.empty() || name.size() > 64) return {Kind::kReject, "bad name of a room\n"};
  if (name.size() == bytes.size()) return {Kind::kNeedMore};
  return {Kind::kRoute, {}, name.size() + 1, std::string(name)};
}

static boost::asio::awaitable<void> chat(mpb::AsioClient client) {
  auto& room = rooms[client.key];
  const std::shared_ptr<void> leave(nullptr, [&](void*) {
    if (room.erase(&client.stream); room.empty()) rooms.erase(client.key);
  });
  room.insert(&client.stream);
  client.stream.write("welcome to " + client.key + ", " + std::to_string(room.size()) + " here\n");
  for (std::string text;;) {  // to the end of the client, which is an exception
    const auto size = co_await boost::asio::async_read_until(
        client.stream, boost::asio::dynamic_buffer(text, 4096), '\n', boost::asio::use_awaitable);
    for (auto* member : room) member->write(text.substr(0, size));
    text.erase(0, size);
  }
}

int main(int argc, char** argv) {
  return mpb::serve(argc, argv, {"chat", room_of, chat, "busy\n"});
}
