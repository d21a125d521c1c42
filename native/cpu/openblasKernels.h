// Which of its kernels OpenBLAS uses.
#pragma once

namespace natgrad {

// An OpenBLAS that is older than the processor does not know it by its number and falls back to kernels of 2004,
// without AVX, which are six times slower (Debian 12's 0.3.21 on Xeons of 2023). This makes it choose again, by what
// the processor can do. Does nothing where OpenBLAS chose well, where OPENBLAS_CORETYPE is set, and where the library
// cannot choose at run time. To be called before the first use of BLAS.
void chooseOpenblasKernels();

}  // namespace natgrad
