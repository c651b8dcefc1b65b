#include "mpbroker/rtmp.hpp"

int main(int argc, char** argv) {
  mpb::Registry registry;
  mpb::add_echo(registry);
  mpb::add_rtmp(registry);
  registry.confine_early();
  return mpb::worker_main(argc, argv, registry);
}
