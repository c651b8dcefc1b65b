#include "bench/mprtmp/tally.hpp"

namespace mpb::rtmp_load {
namespace {

constexpr std::array<load::ProblemName, kProblems> kNames{{
    {"connect_refused", "connection refused"},
    {"connect_timed_out", "timed out while connecting"},
    {"answer_timed_out", "timed out while waiting for an answer"},
    {"silent", "got no media for too long"},
    {"reset", "reset by the server"},
    {"closed", "closed by the server"},
    {"refused", "refused by the server in words"},
    {"not_taken", "the server did not take the publisher's frames"},
    {"no_local_port", "no free local port (more --sources help)"},
    {"no_descriptor", "no free descriptor in mprtmp"},
    {"system", "other system error"},
    {"bad_bytes", "bytes that are not RTMP"},
    {"wrong_stream", "frames of another stream than the one asked for"},
}};

}  // namespace

std::span<const load::ProblemName> problem_names() {
  return kNames;
}

}  // namespace mpb::rtmp_load
