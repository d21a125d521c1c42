// The one function of the Fortran runtime that LAPACK's eigensolver calls (to put together the name of a routine whose
// block size it looks up), so that a binary with a static LAPACK needs no libgfortran and no libquadmath.
#include <algorithm>
#include <cstddef>

namespace {

// Fortran assignment of text: what does not fit is cut off, what is left is filled with blanks.
char* assign(char* to, const char* end, const char* text, size_t length) {
  return std::copy_n(text, std::min(length, static_cast<size_t>(end - to)), to);
}

}  // namespace

// GCC's name and order of arguments for `result = left // right`.
extern "C" void _gfortran_concat_string(size_t resultLength, char* result, size_t leftLength, const char* left,
                                        size_t rightLength, const char* right) {
  char* const end = result + resultLength;
  std::fill(assign(assign(result, end, left, leftLength), end, right, rightLength), end, ' ');
}
