#include "cpu/openblasKernels.h"

#include <cstdlib>
#include <cstring>
#include <initializer_list>

#if defined(NATGRAD_X86_64) && defined(__GNUC__) && !defined(_WIN32)

extern "C" {
const char* openblas_get_corename();
// Only in a library with DYNAMIC_ARCH.
void gotoblas_dynamic_init() __attribute__((weak));
void gotoblas_dynamic_quit() __attribute__((weak));
}

namespace natgrad {

namespace {

bool isFallback(const char* core) {
  for (const char* old :
       {"Prescott", "Core2", "Penryn", "Dunnington", "Nehalem", "Atom", "Athlon", "Opteron", "Barcelona"}) {
    if (std::strcmp(core, old) == 0) return true;
  }
  return false;
}

}  // namespace

void chooseOpenblasKernels() {
  constexpr const char* variable = "OPENBLAS_CORETYPE";
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !isFallback(openblas_get_corename()) ||
      std::getenv(variable) != nullptr || gotoblas_dynamic_init == nullptr || gotoblas_dynamic_quit == nullptr) {
    return;
  }
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  // The choice can only be passed through the environment.
  setenv(variable, avx512 ? "SkylakeX" : "Haswell", 0);
  gotoblas_dynamic_quit();
  gotoblas_dynamic_init();
  unsetenv(variable);
}

}  // namespace natgrad

#else

namespace natgrad {

void chooseOpenblasKernels() {}

}  // namespace natgrad

#endif
