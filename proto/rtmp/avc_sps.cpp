#include "proto/rtmp/avc_sps.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace mpb::rtmp {
namespace {

constexpr std::size_t kMaxUnit = 4096;       // bytes; what encoders write has less than 100
constexpr std::uint32_t kMaxSide = 16'384;   // pixels
constexpr std::uint32_t kMacroblock = 16;    // pixels
constexpr std::uint32_t kMaxPocCycle = 255;  // num_ref_frames_in_pic_order_cnt_cycle
constexpr std::uint8_t kSpsUnit = 7;         // nal_unit_type

/// Bits off the front of a raw byte sequence payload. Once something does not fit or is out of
/// range, ok() is false and further reads give 0.
class BitReader {
 public:
  explicit BitReader(std::string_view bytes) : bytes_(bytes) {}

  std::uint32_t bits(unsigned count) {
    if (!ok_ || count > bytes_.size() * 8 - at_) {
      ok_ = false;
      return 0;
    }
    std::uint32_t value = 0;
    for (; count > 0; --count, ++at_) {
      const auto byte = static_cast<unsigned char>(bytes_[at_ / 8]);
      value = value << 1 | (byte >> (7 - at_ % 8) & 1U);
    }
    return value;
  }
  bool flag() { return bits(1) != 0; }

  /// ue(v), at most `most`.
  std::uint32_t unsigned_golomb(std::uint32_t most = UINT32_MAX - 1) {
    unsigned zeros = 0;
    while (ok_ && !flag()) ++zeros;
    if (zeros > 31) ok_ = false;
    const std::uint32_t value = ok_ ? (1U << zeros) - 1 + bits(zeros) : 0;
    if (value > most) ok_ = false;
    return ok_ ? value : 0;
  }
  /// se(v)
  std::int32_t signed_golomb() {
    const std::uint32_t code = unsigned_golomb();
    const auto half = static_cast<std::int32_t>(code / 2);
    return code % 2 == 0 ? -half : half + 1;
  }

  [[nodiscard]] bool ok() const { return ok_; }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;  // bits
  bool ok_ = true;
};

/// Without the emulation prevention bytes: "0 0 3" stands for "0 0".
std::string unescape(std::string_view unit) {
  std::string raw;
  raw.reserve(unit.size());
  int zeros = 0;
  for (const char c : unit) {
    if (zeros >= 2 && c == 3) {
      zeros = 0;
      continue;
    }
    zeros = c == 0 ? zeros + 1 : 0;
    raw += c;
  }
  return raw;
}

bool has_chroma_format(std::uint32_t profile) {
  constexpr std::array<std::uint32_t, 13> kProfiles{100, 110, 122, 244, 44,  83, 86,
                                                    118, 128, 138, 139, 134, 135};
  return std::find(kProfiles.begin(), kProfiles.end(), profile) != kProfiles.end();
}

void skip_scaling_list(BitReader& in, int size) {
  int last = 8;
  int next = 8;
  for (int i = 0; i < size && in.ok(); ++i) {
    if (next != 0) {
      next = (last + in.signed_golomb() % 256 + 256) % 256;
    }
    last = next == 0 ? last : next;
  }
}

void skip_scaling_matrix(BitReader& in, std::uint32_t chroma_format) {
  const int lists = chroma_format == 3 ? 12 : 8;
  for (int i = 0; i < lists; ++i) {
    if (in.flag()) skip_scaling_list(in, i < 6 ? 16 : 64);
  }
}

/// Gives ChromaArrayType: 0 when the planes are separate or there is no chroma.
std::uint32_t read_chroma(BitReader& in) {
  const std::uint32_t format = in.unsigned_golomb(3);
  const bool separate = format == 3 && in.flag();
  in.unsigned_golomb();  // bit_depth_luma_minus8
  in.unsigned_golomb();  // bit_depth_chroma_minus8
  in.flag();             // qpprime_y_zero_transform_bypass_flag
  if (in.flag()) skip_scaling_matrix(in, format);
  return separate ? 0 : format;
}

void skip_picture_order(BitReader& in) {
  const std::uint32_t type = in.unsigned_golomb(2);
  if (type == 0) in.unsigned_golomb();  // log2_max_pic_order_cnt_lsb_minus4
  if (type != 1) return;
  in.flag();           // delta_pic_order_always_zero_flag
  in.signed_golomb();  // offset_for_non_ref_pic
  in.signed_golomb();  // offset_for_top_to_bottom_field
  const std::uint32_t cycle = in.unsigned_golomb(kMaxPocCycle);
  for (std::uint32_t i = 0; i < cycle; ++i) in.signed_golomb();
}

/// The side in pixels after `cropped` units of `crop_unit` pixels were cut off; 0: out of range.
std::uint32_t cropped_side(std::uint64_t side, std::uint64_t cropped, std::uint32_t crop_unit) {
  const std::uint64_t cut = cropped * crop_unit;
  return side > kMaxSide || cut >= side ? 0 : static_cast<std::uint32_t>(side - cut);
}

}  // namespace

std::optional<PictureSize> read_sps_size(std::string_view unit) {
  if (unit.empty() || unit.size() > kMaxUnit || (unit.front() & 0x1f) != kSpsUnit) {
    return std::nullopt;
  }
  const std::string raw = unescape(unit.substr(1));
  BitReader in(raw);
  const std::uint32_t profile = in.bits(8);
  in.bits(16);           // constraint flags, level_idc
  in.unsigned_golomb();  // seq_parameter_set_id
  const std::uint32_t chroma = has_chroma_format(profile) ? read_chroma(in) : 1;
  in.unsigned_golomb();  // log2_max_frame_num_minus4
  skip_picture_order(in);
  in.unsigned_golomb();  // max_num_ref_frames
  in.flag();             // gaps_in_frame_num_value_allowed_flag
  const std::uint64_t columns = in.unsigned_golomb() + std::uint64_t{1};
  const std::uint64_t rows = in.unsigned_golomb() + std::uint64_t{1};
  const bool frames_only = in.flag();
  if (!frames_only) in.flag();          // mb_adaptive_frame_field_flag
  in.flag();                            // direct_8x8_inference_flag
  std::array<std::uint64_t, 4> crop{};  // left, right, top, bottom
  if (in.flag()) {
    for (std::uint64_t& units : crop) units = in.unsigned_golomb();
  }
  if (!in.ok()) return std::nullopt;

  const std::uint32_t fields = frames_only ? 1 : 2;
  const std::uint32_t crop_x = chroma == 1 || chroma == 2 ? 2 : 1;
  const std::uint32_t crop_y = (chroma == 1 ? 2 : 1) * fields;
  const PictureSize size{cropped_side(columns * kMacroblock, crop[0] + crop[1], crop_x),
                         cropped_side(rows * kMacroblock * fields, crop[2] + crop[3], crop_y)};
  if (size.width == 0 || size.height == 0) return std::nullopt;
  return size;
}

}  // namespace mpb::rtmp
