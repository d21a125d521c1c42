#include "node/openDevice.h"

#include <iterator>

namespace natgrad {

std::shared_ptr<OpenDevice> OpenDevice::open(const CudaPlugin& plugin, int32_t ordinal, Precision precision,
                                             std::string& reason) {
  char words[512] = "";
  void* context = plugin.open(ordinal, words, sizeof words);
  if (context == nullptr) {
    reason = words;
    return nullptr;
  }
  return std::make_shared<OpenDevice>(plugin, context, precision);
}

bool OpenDevice::keepsAnyOf(uintptr_t begin, uintptr_t end) const {
  const auto after = kept_.lower_bound(end);
  return after != kept_.begin() && std::prev(after)->second > begin;
}

bool OpenDevice::keep(void* begin, int64_t bytes) {
  if (!device_.keep(begin, bytes)) return false;
  const auto first = reinterpret_cast<uintptr_t>(begin);
  kept_.emplace(first, first + static_cast<uintptr_t>(bytes));
  return true;
}

void OpenDevice::release(void* begin) {
  device_.release(begin);
  kept_.erase(reinterpret_cast<uintptr_t>(begin));
}

}  // namespace natgrad
