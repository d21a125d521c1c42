#define NATGRAD_SIMD baseline
#include "cpu/simd/kernelTable.h"
