// A worker program (mpbroker --worker-program) whose clients use the shared tables. A client's
// first line is its key; each other line is one command, and has one line of answer:
//   put TABLE KEY VALUE [MS]   add TABLE KEY N   del TABLE KEY   cap TABLE KEY VALUE VERSION
//   get TABLE KEY              size TABLE        fill TABLE PREFIX N [SIZE] (N puts at once)
//   record TABLE               from now on, what happens to the table; answer: "ok"
//   recorded                   how many changes were, and their hash
#include <fmt/format.h>

#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "mpbroker/asio.hpp"
#include "mpbroker/environment.hpp"
#include "mpbroker/shared.hpp"

namespace {

using boost::asio::awaitable;

/// FNV-1a over everything that a watch tells, in its order.
struct Record {
  std::uint64_t hash = 14695981039346656037ULL;
  std::uint64_t changes = 0;
  mpb::TableWatch watch;

  void note(std::string_view bytes) {
    for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  }
  void note(const mpb::TableEvent& event) {
    ++changes;
    note(fmt::format("{}|{}|{}\n", event.version, event.key, event.now ? event.now->value : "-"));
  }
};
Record record;

mpb::Verdict key_of(std::string_view bytes) {
  using Kind = mpb::Verdict::Kind;
  const auto end = bytes.find('\n');
  if (end == std::string_view::npos) return {Kind::kNeedMore};
  return {Kind::kRoute, {}, end + 1, std::string(bytes.substr(0, end))};
}

std::string told(const mpb::TableResult& result) {
  return fmt::format("{} {} {}", mpb::to_string(result.outcome), result.version, result.sum);
}

/// All at once; gives how many were done.
awaitable<std::string> fill(mpb::SharedMap& table, std::string prefix, int count, int size) {
  struct Sums {
    int done = 0;
    int failed = 0;
  };
  const auto sums = std::make_shared<Sums>();
  for (int i = 0; i < count; ++i) {
    table.put(fmt::format("{}{}", prefix, i), fmt::format("{}-value{:{}}", i, "", size),
              mpb::SharedMap::kForEver,
              [sums](const mpb::TableResult& result) { ++(result ? sums->done : sums->failed); });
  }
  // Results come in order: the last one's is behind theirs.
  co_await table.async_erase(prefix + "none");
  co_return fmt::format("done {} failed {}", sums->done, sums->failed);
}

awaitable<std::string> answer(mpb::Environment& environment, std::string line) {
  std::istringstream words(line);
  std::string command;
  std::string name;
  std::string key;
  std::string value;
  words >> command;
  if (command == "recorded") co_return fmt::format("{} {:x}", record.changes, record.hash);
  words >> name;
  mpb::SharedMap& table = environment.shared().map(name);
  if (command == "size") co_return std::to_string(table.size());
  if (command == "record") {
    record.watch = table.watch("", [](const mpb::TableEvent& event) { record.note(event); });
    co_return "ok";
  }
  words >> key;
  if (command == "get") {
    const auto found = table.get(key);
    co_return found ? fmt::format("{} {}", found->value, found->version) : "none";
  }
  if (command == "del") co_return told(co_await table.async_erase(key));
  if (command == "put") {
    int ms = 0;
    words >> value >> ms;
    co_return told(co_await table.async_put(key, value, std::chrono::milliseconds(ms)));
  }
  if (command == "cap") {
    std::uint64_t version = 0;
    words >> value >> version;
    co_return told(co_await table.async_compare_and_put(key, value, version));
  }
  std::int64_t number = 0;
  words >> number;
  if (command == "add") co_return told(co_await table.async_add(key, number));
  if (command == "fill") {
    int size = 0;
    words >> size;
    co_return co_await fill(table, key, static_cast<int>(number), size);
  }
  co_return "what?";
}

awaitable<void> serve(mpb::AsioClient client) {
  for (std::string text;;) {
    const auto size = co_await boost::asio::async_read_until(
        client.stream, boost::asio::dynamic_buffer(text, 65'536), '\n', boost::asio::use_awaitable);
    std::string line = text.substr(0, size - 1);
    text.erase(0, size);
    const std::string said = co_await answer(*client.environment, std::move(line));
    client.stream.write(said + "\n");
  }
}

}  // namespace

int main(int argc, char** argv) {
  return mpb::serve(argc, argv, {"tables", key_of, serve, "busy\n"});
}
