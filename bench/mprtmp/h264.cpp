#include "bench/mprtmp/h264.hpp"

#include <bit>
#include <initializer_list>

namespace mpb::rtmp_load::h264 {
namespace {

constexpr unsigned kMacroblock = 16;
constexpr unsigned kColumns = (kWidth + kMacroblock - 1) / kMacroblock;
constexpr unsigned kRows = (kHeight + kMacroblock - 1) / kMacroblock;
constexpr unsigned kProfile = 66;  // baseline
constexpr unsigned kConstraints = 0xc0;
constexpr unsigned kLevel = 31;
constexpr unsigned kFrameNumberBits = 4;

constexpr char kSpsHeader = 0x67;
constexpr char kPpsHeader = 0x68;
constexpr char kKeyHeader = 0x65;
constexpr char kRepeatHeader = 0x41;
constexpr char kSeiHeader = 0x06;
constexpr char kFillerHeader = 0x0c;

/// Bits of a raw byte sequence payload.
class BitWriter {
 public:
  void bits(std::uint32_t value, unsigned count) {
    while (count-- > 0) {
      current_ = static_cast<std::uint8_t>(current_ << 1 | (value >> count & 1));
      if (++filled_ == 8) {
        bytes_ += static_cast<char>(current_);
        filled_ = 0;
      }
    }
  }
  /// Exp-Golomb: ue(v), and se(v) for 0.
  void ue(std::uint32_t value) {
    const auto width = static_cast<unsigned>(std::bit_width(value + 1));
    bits(0, width - 1);
    bits(value + 1, width);
  }
  void flags(std::initializer_list<bool> values) {
    for (const bool value : values) bits(value ? 1 : 0, 1);
  }
  /// The whole unit: header, payload with trailing bits, and emulation prevention.
  std::string finish(char header) {
    bits(1, 1);
    while (filled_ != 0) bits(0, 1);
    std::string unit(1, header);
    unsigned zeros = 0;
    for (const char c : bytes_) {
      if (zeros >= 2 && static_cast<unsigned char>(c) <= 3) {
        unit += '\x03';
        zeros = 0;
      }
      unit += c;
      zeros = c == 0 ? zeros + 1 : 0;
    }
    return unit;
  }

 private:
  std::string bytes_;
  std::uint8_t current_ = 0;
  unsigned filled_ = 0;
};

void append_u16(std::string& out, std::size_t value) {
  out += static_cast<char>(value >> 8 & 0xff);
  out += static_cast<char>(value & 0xff);
}

}  // namespace

std::string sequence_parameter_set(unsigned fps) {
  BitWriter out;
  out.bits(kProfile, 8);
  out.bits(kConstraints, 8);
  out.bits(kLevel, 8);
  out.ue(0);                     // seq_parameter_set_id
  out.ue(kFrameNumberBits - 4);  // log2_max_frame_num_minus4
  out.ue(2);                     // pic_order_cnt_type: output order is decoding order
  out.ue(1);                     // max_num_ref_frames
  out.bits(0, 1);                // gaps_in_frame_num_value_allowed_flag
  out.ue(kColumns - 1);
  out.ue(kRows - 1);
  out.flags({true, true, true});  // frame_mbs_only, direct_8x8_inference, frame_cropping
  for (int i = 0; i < 3; ++i) out.ue(0);
  out.ue((kRows * kMacroblock - kHeight) / 2);          // bottom, in chroma samples
  out.flags({true, false, false, false, false, true});  // vui: of its parts only timing_info
  out.bits(1, 32);                                // num_units_in_tick, of which a frame has two
  out.bits(2 * fps, 32);                          // time_scale
  out.flags({true, false, false, false, false});  // fixed_frame_rate; no HRD, no restriction
  return out.finish(kSpsHeader);
}

std::string picture_parameter_set() {
  BitWriter out;
  out.ue(0);                              // pic_parameter_set_id
  out.ue(0);                              // seq_parameter_set_id
  out.flags({false, false});              // CAVLC, no field order in slices
  for (int i = 0; i < 3; ++i) out.ue(0);  // one slice group, one reference each
  out.bits(0, 3);                         // no weighted prediction
  for (int i = 0; i < 3; ++i) out.ue(0);  // qp, qs, chroma qp offset
  out.flags({true, false, false});        // deblocking_filter_control_present
  return out.finish(kPpsHeader);
}

std::string key_slice(unsigned id) {
  BitWriter out;
  out.ue(0);  // first_mb_in_slice
  out.ue(7);  // I, as the whole picture
  out.ue(0);  // pic_parameter_set_id
  out.bits(0, kFrameNumberBits);
  out.ue(id);                 // idr_pic_id
  out.flags({false, false});  // no_output_of_prior_pics, long_term_reference
  out.ue(0);                  // slice_qp_delta
  out.ue(1);                  // disable_deblocking_filter_idc
  for (unsigned i = 0; i < kColumns * kRows; ++i) {
    out.ue(3);       // I_16x16, DC prediction, no coefficients: the grey of its neighbours
    out.ue(0);       // intra_chroma_pred_mode: DC
    out.ue(0);       // mb_qp_delta
    out.bits(1, 1);  // coeff_token: none
  }
  return out.finish(kKeyHeader);
}

std::string repeat_slice(std::uint64_t number) {
  BitWriter out;
  out.ue(0);  // first_mb_in_slice
  out.ue(5);  // P, as the whole picture
  out.ue(0);  // pic_parameter_set_id
  out.bits(static_cast<std::uint32_t>(number % (1U << kFrameNumberBits)), kFrameNumberBits);
  out.flags({false, false, false});  // no other reference count, order or marking
  out.ue(0);                         // slice_qp_delta
  out.ue(1);                         // disable_deblocking_filter_idc
  out.ue(kColumns * kRows);          // mb_skip_run: all of them
  return out.finish(kRepeatHeader);
}

std::string user_data(std::string_view data) {
  constexpr char kUserDataUnregistered = 5;
  std::string unit{kSeiHeader, kUserDataUnregistered, static_cast<char>(data.size())};
  unit += data;
  unit += '\x80';
  return unit;
}

std::string filler(std::size_t size) {
  std::string unit(size, '\xff');
  unit.front() = kFillerHeader;
  unit.back() = '\x80';
  return unit;
}

std::string decoder_configuration(unsigned fps) {
  const std::string sps = sequence_parameter_set(fps);
  const std::string pps = picture_parameter_set();
  std::string record{'\x01',
                     static_cast<char>(kProfile),
                     static_cast<char>(kConstraints),
                     static_cast<char>(kLevel),
                     '\xff',
                     '\xe1'};
  append_u16(record, sps.size());
  record += sps;
  record += '\x01';
  append_u16(record, pps.size());
  return record + pps;
}

void append_unit(std::string& out, std::string_view nal) {
  append_u16(out, nal.size() >> 16);
  append_u16(out, nal.size());
  out += nal;
}

}  // namespace mpb::rtmp_load::h264
