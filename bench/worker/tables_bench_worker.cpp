// A worker program that measures the shared tables, for bench/tables. A client's first line is its
// key, each other line a command with one line of answer:
//   get N          N look-ups among 10,000 entries of `get`: ns each
//   put KEY        puts the time of now in `timed`; answers when its result is there: us
//   late           how long after the puts of `timed` they were applied here, in us, since the last
//                  `late`
#include <time.h>

#include <array>
#include <charconv>
#include <string>
#include <vector>

#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "mpbroker/asio.hpp"
#include "mpbroker/environment.hpp"
#include "mpbroker/shared.hpp"

namespace {

constexpr int kEntries = 10'000;

/// The same clock in all processes.
std::int64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

std::vector<std::int64_t> late;
mpb::TableWatch watch;

void follow(mpb::SharedMap& timed) {
  if (watch) return;
  watch = timed.watch("", [](const mpb::TableEvent& event) {
    std::int64_t sent = 0;
    if (!event.now) return;
    const std::string_view text = event.now->value;
    std::from_chars(text.data(), text.data() + text.size(), sent);
    late.push_back((now_ns() - sent) / 1000);
  });
}

std::string measure_get(mpb::SharedMap& table, int count) {
  std::vector<std::string> keys;
  for (int i = 0; i < 1024; ++i) keys.push_back("session-" + std::to_string(i * 7919 % kEntries));
  std::size_t bytes = 0;
  const std::int64_t begin = now_ns();
  for (int i = 0; i < count; ++i) {
    const auto value = table.get(keys[static_cast<std::size_t>(i) % keys.size()]);
    if (value) bytes += value->value.size();
  }
  const std::int64_t took = now_ns() - begin;
  return std::to_string(static_cast<double>(took) / count) + " " + std::to_string(bytes);
}

boost::asio::awaitable<std::string> answer(mpb::SharedTables& tables, std::string line) {
  const auto space = line.find(' ');
  const std::string command = line.substr(0, space);
  const std::string argument = space == std::string::npos ? "" : line.substr(space + 1);
  follow(tables.map("timed"));
  if (command == "get") {
    mpb::SharedMap& table = tables.map("get");
    for (int i = 0; i < kEntries && table.size() < kEntries; ++i) {
      table.put("session-" + std::to_string(i), "user-" + std::to_string(i));
    }
    co_await table.async_erase("none");
    co_return measure_get(table, std::stoi(argument));
  }
  if (command == "put") {
    const std::int64_t begin = now_ns();
    co_await tables.map("timed").async_put(argument, std::to_string(begin));
    co_return std::to_string((now_ns() - begin) / 1000);
  }
  std::string all;
  for (const std::int64_t one : late) all += std::to_string(one) + " ";
  late.clear();
  co_return all;
}

mpb::Verdict key_of(std::string_view bytes) {
  using Kind = mpb::Verdict::Kind;
  const auto end = bytes.find('\n');
  if (end == std::string_view::npos) return {Kind::kNeedMore};
  return {Kind::kRoute, {}, end + 1, std::string(bytes.substr(0, end))};
}

boost::asio::awaitable<void> serve(mpb::AsioClient client) {
  for (std::string text;;) {
    const auto size = co_await boost::asio::async_read_until(
        client.stream, boost::asio::dynamic_buffer(text, 4096), '\n', boost::asio::use_awaitable);
    std::string line = text.substr(0, size - 1);
    text.erase(0, size);
    const std::string said = co_await answer(client.environment->shared(), std::move(line));
    client.stream.write(said + "\n");
  }
}

}  // namespace

int main(int argc, char** argv) {
  return mpb::serve(argc, argv, {"tables", key_of, serve, "busy\n"});
}
