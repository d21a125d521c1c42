#define NATGRAD_SIMD avx512
#include "cpu/simd/kernelTable.h"
