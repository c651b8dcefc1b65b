#include "mpctl/streams_text.hpp"

#include <fmt/format.h>

#include <string_view>

#include "mpctl/answer.hpp"
#include "mpctl/status_text.hpp"
#include "mpctl/table.hpp"

namespace mpb::ctl {
namespace {

namespace json = boost::json;

/// "avc1+mp4a"; "-" when neither is known.
std::string codecs(const json::object& stream) {
  const std::string video = text(stream, "video");
  const std::string audio = text(stream, "audio");
  if (video == "-") return audio;
  return audio == "-" ? video : video + '+' + audio;
}

std::string picture_size(const json::object& stream) {
  const auto width = number(stream, "width");
  const auto height = number(stream, "height");
  return width > 0 && height > 0 ? fmt::format("{}x{}", width, height) : "-";
}

/// "25", "29.97"; "-" when it is not known.
std::string frame_rate(const json::object& stream) {
  const json::value* value = stream.if_contains("fps");
  if (value == nullptr || !value->is_double()) {
    return number(stream, "fps") > 0 ? count_text(stream, "fps") : "-";
  }
  const double fps = value->get_double();
  return fps > 0 && fps < 1e6 ? fmt::format("{:.2f}", fps) : "-";
}

std::string age(const json::object& stream) {
  return short_time(number(stream, "age_s") * 1000);
}

}  // namespace

std::string streams_text(const json::object& answer) {
  const std::string table = table_text({text_column("VHOST", "vhost"),
                                        text_column("APP", "app"),
                                        text_column("STREAM", "stream"),
                                        text_column("PUBLISHER", "publisher"),
                                        {"CODEC", codecs, Align::kLeft},
                                        {"SIZE", picture_size},
                                        {"FPS", frame_rate},
                                        count_column("KBIT/S IN", "kbps_in"),
                                        count_column("PLAYERS", "players"),
                                        count_column("KBIT/S OUT", "kbps_out"),
                                        count_column("DROPS", "drops"),
                                        count_column("CUT", "cut"),
                                        {"AGE", age},
                                        count_column("WORKER", "slot")},
                                       member_array(answer, "streams"));
  std::uint64_t streams = 0;
  std::uint64_t players = 0;
  double in = 0;
  double out = 0;
  for_each_object(member_array(answer, "streams"), [&](const json::object& stream) {
    ++streams;
    players += number(stream, "players");
    in += static_cast<double>(number(stream, "kbps_in"));
    out += static_cast<double>(number(stream, "kbps_out"));
  });
  std::string text = fmt::format("{}{} streams, {} players; {:.0f} kbit/s in, {:.0f} kbit/s out\n",
                                 table, streams, players, in, out);
  if (const std::uint64_t ignored = number(answer, "ignored"); ignored > 0) {
    text += fmt::format("{} messages of clients meant nothing and were ignored\n", ignored);
  }
  return text;
}

}  // namespace mpb::ctl
