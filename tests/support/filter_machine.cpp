#include "tests/support/filter_machine.hpp"

#include <cstring>
#include <stdexcept>

namespace mpb::test {
namespace {

std::uint32_t load(const seccomp_data& call, std::uint32_t place) {
  if (place % sizeof(std::uint32_t) != 0 || place > sizeof call - sizeof(std::uint32_t)) {
    throw std::runtime_error("a load from outside of the call");
  }
  std::uint32_t value = 0;
  std::memcpy(&value, reinterpret_cast<const char*>(&call) + place, sizeof value);
  return value;
}

}  // namespace

std::uint32_t run_filter(std::span<const sock_filter> program, const seccomp_data& call) {
  std::uint32_t accumulator = 0;
  for (std::size_t at = 0; at < program.size(); ++at) {
    const sock_filter& step = program[at];
    const auto jump = [&](bool condition) { at += condition ? step.jt : step.jf; };
    switch (step.code) {
      case BPF_LD | BPF_W | BPF_ABS:
        accumulator = load(call, step.k);
        break;
      case BPF_ALU | BPF_AND | BPF_K:
        accumulator &= step.k;
        break;
      case BPF_JMP | BPF_JA:
        at += step.k;
        break;
      case BPF_JMP | BPF_JEQ | BPF_K:
        jump(accumulator == step.k);
        break;
      case BPF_JMP | BPF_JGE | BPF_K:
        jump(accumulator >= step.k);
        break;
      case BPF_RET | BPF_K:
        return step.k;
      default:
        throw std::runtime_error("an instruction of another kind");
    }
  }
  throw std::runtime_error("it ends without a verdict");
}

}  // namespace mpb::test
