#include "worker/clients/memory_reserve.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

namespace mpb {
namespace {

std::atomic<void*> reserve = nullptr;  // a thread that asks web servers may be refused, too
std::atomic<bool> refused = false;

}  // namespace

thread_local int MemoryReserve::ClientWork::depth = 0;

MemoryReserve::MemoryReserve() {
  restore();
  std::set_new_handler(&MemoryReserve::give_up);
}

MemoryReserve::~MemoryReserve() {
  std::set_new_handler(nullptr);
  std::free(reserve.exchange(nullptr));
}

bool MemoryReserve::was_short() {
  return refused.exchange(false);
}

void MemoryReserve::restore() {
  if (reserve.load() == nullptr) reserve = std::malloc(kSize);
}

void MemoryReserve::give_up() {
  refused = true;
  if (ClientWork::depth > 0) throw std::bad_alloc();
  void* const given = reserve.exchange(nullptr);
  if (given == nullptr) throw std::bad_alloc();
  std::free(given);
}

}  // namespace mpb
