// A worker program for bench/talk: serves the control protocol by coroutines, and sends letters as
// it is asked to (`mpctl ask SLOT do "..."`):
//   rate SLOT SIZE MS         letters to a slot as fast as there is room
//   all SIZE MS               the same to all
//   echo SLOT SIZE MS         one request after the other; answers "count p50-in-ns"
//   pace SLOT SIZE RATE MS    RATE letters a second
//   count                     letters that came since it was asked last
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <sstream>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "bench/floors/control_coroutine.hpp"
#include "mpbroker/asio.hpp"
#include "proto/control/classifier.hpp"
#include "proto/control/control.hpp"

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

class Load {
 public:
  explicit Load(mpb::Environment& environment)
      : bus_(environment.bus()), context_(environment.asio()) {
    bus_.on("load", [this](mpb::Letter& letter) {
      ++count_;
      if (letter.asked) bus_.reply(*letter.asked, letter.payload);
    });
    bus_.on("do",
            [this](mpb::Letter& letter) { obey(std::string(letter.payload), *letter.asked); });
    bus_.on_room([this] { pour(); });
  }

 private:
  void obey(const std::string& text, mpb::Asked asked) {
    std::istringstream words(text);
    std::string verb;
    std::uint16_t slot = 0;
    std::size_t size = 0;
    int rate = 0;
    int ms = 0;
    words >> verb;
    if (verb == "count") {
      bus_.reply(asked, std::to_string(std::exchange(count_, 0)));
      return;
    }
    if (verb != "all") words >> slot;
    words >> size;
    if (verb == "pace") words >> rate;
    words >> ms;
    to_ = verb == "all" ? mpb::To::all() : mpb::To::slot(slot);
    payload_.assign(size, 'x');
    end_ = Clock::now() + std::chrono::milliseconds(ms);
    asked_ = asked;
    sent_ = 0;
    if (verb == "echo") return echo();
    if (verb == "pace") {
      return boost::asio::co_spawn(context_, pace(rate), boost::asio::detached);
    }
    bus_.reply(asked, "begun");
    pouring_ = true;
    pour();
  }

  /// Until there is no room; on_room goes on.
  void pour() {
    while (pouring_ && bus_.send(to_, "load", payload_)) {
      ++sent_;
      pouring_ = Clock::now() < end_;
    }
  }

  void echo() {
    const auto begun = Clock::now();
    if (begun >= end_) {
      std::ranges::sort(times_);
      const auto p50 = times_.empty() ? 0 : times_[times_.size() / 2];
      bus_.reply(asked_, std::to_string(times_.size()) + " " + std::to_string(p50));
      return times_.clear();
    }
    bus_.request(to_, "load", payload_, 10s, [this, begun](const mpb::Reply&) {
      times_.push_back(std::chrono::nanoseconds(Clock::now() - begun).count());
      echo();
    });
  }

  boost::asio::awaitable<void> pace(int rate) {
    boost::asio::steady_timer timer(context_);
    const auto begun = Clock::now();
    while (Clock::now() < end_) {
      const std::chrono::duration<double> passed = Clock::now() - begun;
      while (static_cast<double>(sent_) < passed.count() * rate) {
        if (!bus_.send(to_, "load", payload_)) break;
        ++sent_;
      }
      timer.expires_after(1ms);
      co_await timer.async_wait(boost::asio::use_awaitable);
    }
    bus_.reply(asked_, std::to_string(sent_));
  }

  mpb::Bus& bus_;
  boost::asio::io_context& context_;
  std::uint64_t count_ = 0;
  std::uint64_t sent_ = 0;
  mpb::To to_ = mpb::To::slot(0);
  std::string payload_;
  Clock::time_point end_;
  mpb::Asked asked_;
  bool pouring_ = false;
  std::vector<std::int64_t> times_;
};

mpb::Verdict key_of(std::string_view bytes) {
  mpb::Classification so_far;
  return mpb::ControlClassifier().classify(bytes, so_far);
}

boost::asio::awaitable<void> serve(mpb::AsioClient client) {
  const mpb::bench::ServedBy self{0, ::getpid()};
  co_await mpb::bench::serve_control(client.stream, self, static_cast<std::uint8_t>(client.hops));
}

}  // namespace

int main(int argc, char** argv) {
  mpb::AsioService service{"control-coroutine", key_of, serve, std::string(mpb::control::kBusy)};
  service.begin = [](mpb::Environment& environment) { environment.shared<Load>(); };
  return mpb::serve(argc, argv, std::move(service));
}
