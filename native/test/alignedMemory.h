// Memory with an alignment, which Windows has functions of its own for.
#pragma once

#include <cstdlib>

#ifdef _WIN32
#include <malloc.h>
#endif

namespace natgrad::test {

#ifdef _WIN32
inline void* allocateAligned(size_t alignment, size_t size) { return _aligned_malloc(size, alignment); }
inline void freeAligned(void* p) { _aligned_free(p); }
#else
// The size must be a multiple of the alignment.
inline void* allocateAligned(size_t alignment, size_t size) { return std::aligned_alloc(alignment, size); }
inline void freeAligned(void* p) { std::free(p); }
#endif

}  // namespace natgrad::test
