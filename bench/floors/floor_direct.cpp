// The floor of any server: worker processes that share a listener and answer each client where it
// was accepted. Nothing is dispatched.
#include "bench/floors/floor_process.hpp"
#include "bench/floors/floor_worker.hpp"

namespace mpb::bench {
namespace {

constexpr Option<FloorOptions> kOptions[] = {kListenOption, kWorkersOption,
                                             help_option<FloorOptions>(kFloorGroup)};
constexpr Program<FloorOptions> kProgram{
    "floor_direct", kOptions, "floor_direct: a bare epoll server of the control protocol\n"};

}  // namespace
}  // namespace mpb::bench

int main(int argc, char** argv) {
  using namespace mpb::bench;
  return run_floor(argc, argv, kProgram, [](int slot, const mpb::UniqueFd& listener) {
    FloorWorker(slot, listener.get()).run();
  });
}
