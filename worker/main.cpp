#include "worker/worker_main.hpp"

int main(int argc, char** argv) {
  return mpb::worker_main(argc, argv, mpb::Registry::with_defaults());
}
