// A worker program that does with its Bus what a test says by letters of the topic `do`, and tells
// what it has heard. Its clients are echoed.
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <mpbroker/asio.hpp>

namespace {

using namespace std::chrono_literals;

std::string text_of(mpb::WorkerId id) {
  if (id == mpb::kOperator) return "op";
  return std::to_string(id.slot) + "." + std::to_string(id.generation);
}

mpb::To to_of(const std::string& text) {
  if (text == "all") return mpb::To::all();
  if (text == "op") return mpb::To::operators();
  if (text.starts_with("g:")) return mpb::To::group(text.substr(2));
  if (text.starts_with("k:")) return mpb::To::owner(text.substr(2));
  const auto dot = text.find('.');
  const auto slot = static_cast<std::uint16_t>(std::stoul(text.substr(0, dot)));
  if (dot == std::string::npos) return mpb::To::slot(slot);
  return mpb::To::worker({slot, static_cast<std::uint32_t>(std::stoul(text.substr(dot + 1)))});
}

class Talker {
 public:
  explicit Talker(mpb::Environment& environment) : bus_(environment.bus()) {
    bus_.on("news", [this](mpb::Letter& letter) { hear(letter); });
    bus_.on("burst", [this](mpb::Letter&) { ++bursts_; });
    bus_.on("echo", [this](mpb::Letter& letter) { bus_.reply(*letter.asked, letter.payload); });
    bus_.on("mute", [](mpb::Letter&) {});
    bus_.on("sum", [this](mpb::Letter& letter) {
      const std::string sum(letter.payload);
      bus_.reply(*letter.asked, sum + (sum.empty() ? "" : "+") + text_of(bus_.self()));
    });
    bus_.on("do", [this](mpb::Letter& letter) {
      std::istringstream words{std::string(letter.payload)};
      obey(words, *letter.asked);
    });
    bus_.on_loss([this](const mpb::LostLetter& lost) {
      losses_ += text_of(lost.to) + " " + std::string(mpb::to_string(lost.why)) + "\n";
      ++lost_[std::string(mpb::to_string(lost.why))];
    });
    bus_.on_room([this] {
      ++rooms_;
      for (const auto& [asked, text] : std::exchange(unsent_, {})) answer(asked, text);
    });
  }

 private:
  void hear(mpb::Letter& letter) {
    heard_ += text_of(letter.from) + "#" + std::to_string(letter.number) + " ";
    if (letter.descriptor < 0) {
      heard_ += letter.payload;
    } else {
      const auto bytes = mpb::read_sealed(letter.descriptor, 1 << 20);
      heard_ += bytes ? "sealed " + std::to_string(bytes->size()) : "unsealed";
    }
    heard_ += "\n";
  }

  void answer(mpb::Asked asked, const std::string& text) {
    if (!bus_.reply(asked, text)) unsent_.emplace_back(asked, text);
  }

  void obey(std::istringstream& words, mpb::Asked asked) {
    std::string verb;
    words >> verb;
    const auto answer = [this, asked](const std::string& text) { this->answer(asked, text); };
    const auto rest = [&words] {
      std::string text;
      std::getline(words >> std::ws, text);
      return text;
    };
    std::string to;
    if (verb == "send") {
      words >> to;
      answer(bus_.send(to_of(to), "news", rest()) ? "queued" : "full");
    } else if (verb == "sealed" || verb == "unsealed") {
      words >> to;
      std::size_t size = 0;
      words >> size;
      const int fd = verb == "sealed" ? mpb::make_sealed(std::string(size, 'x')) : pipe_end();
      answer(bus_.send(to_of(to), "news", {}, fd) ? "queued" : "full");
      ::close(fd);
    } else if (verb == "burst") {
      std::size_t count = 0;
      std::size_t size = 0;
      words >> to >> count >> size;
      const std::string payload(size, 'x');
      std::size_t sent = 0;
      while (sent < count && bus_.send(to_of(to), "burst", payload)) ++sent;
      answer(std::to_string(sent));
    } else if (verb == "request") {
      std::string topic;
      words >> to >> topic;
      const bool sent = bool(bus_.request(to_of(to), topic, rest(), 2s, [=](const mpb::Reply& got) {
        answer(got.answered() ? text_of(got.from) + ": " + got.payload
                              : std::string(mpb::to_string(got.loss)));
      }));
      if (!sent) answer("full");
    } else if (verb == "gather") {
      std::string topic;
      words >> topic;
      bus_.gather(topic, rest(), 1s, [=](const mpb::Gathered& all) {
        std::string text;
        for (const auto& [id, said] : all.answers) text += text_of(id) + ": " + said + "\n";
        for (const auto& [id, why] : all.missing) {
          text += text_of(id) + " missing: " + std::string(mpb::to_string(why)) + "\n";
        }
        answer(text);
      });
    } else if (verb == "ring") {
      bus_.ring("sum", rest(), 1s, [=](const mpb::Ring& ring) {
        std::string text = ring.payload;
        for (const auto& [id, why] : ring.skipped) text += " without " + text_of(id);
        answer(text);
      });
    } else if (verb == "join") {
      bus_.join(rest());
      answer("joined");
    } else if (verb == "leave") {
      bus_.leave(rest());
      answer("left");
    } else if (verb == "watch") {
      bus_.on_event([this](const mpb::WorkerEvent& event) {
        // These come with the test's own questions.
        if (event.kind == mpb::WorkerEvent::Kind::kMessage) return;
        static constexpr std::array kNames{"current",   "setup",   "fork",  "online",
                                           "listening", "message", "drain", "disconnect",
                                           "exit",      "owner",   "lost"};
        events_ += std::string(kNames[static_cast<std::size_t>(event.kind)]) + " " +
                   text_of(event.worker) + "\n";
      });
      answer("watching");
    } else if (verb == "heard") {
      answer(heard_);
    } else if (verb == "events") {
      answer(events_);
    } else if (verb == "losses") {
      answer(losses_);
    } else if (verb == "counts") {
      answer("bursts " + std::to_string(bursts_) + " full " +
             std::to_string(lost_["too much waits for it"]) + " gone " +
             std::to_string(lost_["it is gone"]) + " rooms " + std::to_string(rooms_));
    } else {
      answer("what?");
    }
  }

  static int pipe_end() {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) return -1;
    ::close(ends[1]);
    return ends[0];
  }

  mpb::Bus& bus_;
  std::string heard_;
  std::string events_;
  std::string losses_;
  std::map<std::string, std::size_t> lost_;
  std::size_t bursts_ = 0;
  std::size_t rooms_ = 0;
  std::vector<std::pair<mpb::Asked, std::string>> unsent_;  // answers that found no room
};

mpb::Verdict key_of(std::string_view bytes) {
  using Kind = mpb::Verdict::Kind;
  const auto end = bytes.find('\n');
  if (end == std::string_view::npos) return {Kind::kNeedMore};
  return {Kind::kRoute, {}, end + 1, std::string(bytes.substr(0, end))};
}

boost::asio::awaitable<void> echo(mpb::AsioClient client) {
  std::array<char, 4096> bytes{};
  while (true) {
    const auto size = co_await client.stream.async_read_some(boost::asio::buffer(bytes),
                                                             boost::asio::use_awaitable);
    co_await boost::asio::async_write(client.stream, boost::asio::buffer(bytes, size),
                                      boost::asio::use_awaitable);
  }
}

}  // namespace

int main(int argc, char** argv) {
  mpb::AsioService service{"talk", key_of, echo};
  service.begin = [](mpb::Environment& environment) { environment.shared<Talker>(); };
  return mpb::serve(argc, argv, std::move(service));
}
