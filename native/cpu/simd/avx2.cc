#define NATGRAD_SIMD avx2
#include "cpu/simd/kernelTable.h"
