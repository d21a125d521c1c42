#include "memory.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

#include "state.h"

namespace natgrad::fakeCuda {
namespace {

constexpr size_t arenaBytes = size_t(1) << 40;  // of addresses, not of memory
constexpr size_t alignment = 256;               // what cuMemAlloc promises
constexpr int poison = 0xff;                    // NaN in every floating-point format

size_t roundUp(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

struct Block {
  size_t bytes;      // as asked for
  char* pages;       // first page
  size_t pageBytes;  // up to the guard
};

struct Memory {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  char* arena = nullptr;
  size_t next = 0;
  size_t used = 0;
  int accesses = 0;
  std::map<const char*, Block> device;
  std::map<const char*, size_t> pinned;
};

void explainFault(int signal, siginfo_t* info, void*);
struct sigaction previousHandler;

Memory& memory() {
  static Memory* const only = [] {
    Memory* made = new Memory;
    void* arena = mmap(nullptr, arenaBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (arena == MAP_FAILED) {
      std::perror("fake CUDA: no range of addresses for device memory");
      std::abort();
    }
    made->arena = static_cast<char*>(arena);
    struct sigaction action = {};
    action.sa_sigaction = explainFault;
    action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
    sigaction(SIGSEGV, &action, &previousHandler);
    return made;
  }();
  return *only;
}

// Only says what happened; the process ends as it would have ended without.
void explainFault(int, siginfo_t* info, void*) {
  if (isDeviceAddress(info->si_addr)) {
    std::fprintf(stderr, "fake CUDA: %s touched %p, which is %s\n", memory().accesses > 0 ? currentCall() : "host code",
                 info->si_addr,
                 memory().accesses > 0 ? "outside all device memory that is alive" : "an address of the device");
  }
  sigaction(SIGSEGV, &previousHandler, nullptr);
}

void protect(const Block& block, int protection) {
  if (mprotect(block.pages, block.pageBytes, protection) != 0) {
    std::perror("fake CUDA: mprotect");
    std::abort();
  }
}

bool isPoisoned(const char* begin, const char* end) {
  return std::all_of(begin, end, [](char byte) { return static_cast<unsigned char>(byte) == poison; });
}

// What of the pages does not belong to the allocation still holds the poison if nobody wrote outside it.
void checkSlack(const char* begin, const Block& block) {
  if (!isPoisoned(block.pages, begin) || !isPoisoned(begin + block.bytes, block.pages + block.pageBytes)) {
    violation("something was written next to an allocation of %zu bytes", block.bytes);
  }
}

template <class Map>
auto containing(Map& map, const void* address) {
  auto after = map.upper_bound(static_cast<const char*>(address));
  return after == map.begin() ? map.end() : std::prev(after);
}

}  // namespace

void* allocateDevice(size_t bytes) {
  Memory& all = memory();
  if (bytes > settings().memory || all.used > settings().memory - bytes) return nullptr;
  const size_t pageBytes = roundUp(bytes, all.page);
  if (all.next + pageBytes + all.page > arenaBytes) return nullptr;
  char* const pages = all.arena + all.next;
  all.next += pageBytes + all.page;
  const Block block{bytes, pages, pageBytes};
  char* const begin = pages + pageBytes - roundUp(bytes, alignment);
  protect(block, PROT_READ | PROT_WRITE);
  std::memset(pages, poison, pageBytes);
  if (all.accesses == 0) protect(block, PROT_NONE);
  all.device[begin] = block;
  all.used += bytes;
  return begin;
}

void freeDevice(void* begin) {
  Memory& all = memory();
  const auto found = all.device.find(static_cast<const char*>(begin));
  if (found == all.device.end()) {
    violation("%p is no device memory that is alive", begin);
    return;
  }
  {
    const DeviceAccess access;
    checkSlack(found->first, found->second);
  }
  madvise(found->second.pages, found->second.pageBytes, MADV_DONTNEED);
  all.used -= found->second.bytes;
  all.device.erase(found);
}

size_t deviceBytesUsed() { return memory().used; }

bool isDeviceAddress(const void* address) {
  const char* p = static_cast<const char*>(address);
  return p >= memory().arena && p < memory().arena + arenaBytes;
}

bool checkDevice(const void* begin, size_t bytes, const char* what) {
  if (bytes == 0) return true;
  Memory& all = memory();
  const auto found = containing(all.device, begin);
  const char* p = static_cast<const char*>(begin);
  if (found != all.device.end() && p < found->first + found->second.bytes) {
    const size_t offset = static_cast<size_t>(p - found->first);
    if (bytes <= found->second.bytes - offset) return true;
    violation("%s: %zu bytes from byte %zu on of an allocation of %zu bytes", what, bytes, offset, found->second.bytes);
  } else {
    violation("%s: %p is %s", what, begin,
              begin == nullptr         ? "null"
              : isDeviceAddress(begin) ? "no device memory that is alive"
                                       : "an address of the host");
  }
  return false;
}

void* allocatePinned(size_t bytes) {
  void* begin = std::aligned_alloc(64, roundUp(bytes, 64));
  if (begin == nullptr) return nullptr;
  std::memset(begin, poison, bytes);
  memory().pinned[static_cast<const char*>(begin)] = bytes;
  return begin;
}

void freePinned(void* begin) {
  if (memory().pinned.erase(static_cast<const char*>(begin)) == 0) {
    violation("%p is no page-locked memory that is alive", begin);
    return;
  }
  std::free(begin);
}

bool isPinned(const void* address) {
  const auto found = containing(memory().pinned, address);
  return found != memory().pinned.end() && static_cast<const char*>(address) < found->first + found->second;
}

size_t pinnedBytes(const void* begin) {
  const auto found = memory().pinned.find(static_cast<const char*>(begin));
  return found == memory().pinned.end() ? 0 : found->second;
}

bool checkHost(const void* begin, size_t bytes) {
  if (begin == nullptr || isDeviceAddress(begin)) {
    violation("%p is no address of the host", begin);
    return false;
  }
  if (!isPinned(begin)) return true;
  const auto found = containing(memory().pinned, begin);
  if (static_cast<const char*>(begin) + bytes <= found->first + found->second) return true;
  violation("%zu bytes run past the end of page-locked memory of %zu bytes", bytes, found->second);
  return false;
}

std::string liveMemory(size_t* count) {
  const Memory& all = memory();
  *count = all.device.size() + all.pinned.size();
  std::string text;
  if (!all.device.empty()) {
    text = std::to_string(all.device.size()) + " device allocations of " + std::to_string(all.used) + " bytes";
  }
  if (!all.pinned.empty()) {
    text += (text.empty() ? "" : ", ") + std::to_string(all.pinned.size()) + " page-locked allocations";
  }
  return text;
}

DeviceAccess::DeviceAccess() {
  if (memory().accesses++ > 0) return;
  for (const auto& entry : memory().device) protect(entry.second, PROT_READ | PROT_WRITE);
}

DeviceAccess::~DeviceAccess() {
  if (--memory().accesses > 0) return;
  for (const auto& entry : memory().device) protect(entry.second, PROT_NONE);
}

}  // namespace natgrad::fakeCuda
