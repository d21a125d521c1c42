// Checks of the arguments of one call of cuBLAS or cuSOLVER; everything that is wrong is a violation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace natgrad::fakeCuda {

// A column-major matrix in device memory, or `count` of them `stride` elements apart.
struct Extent {
  const void* data;
  int64_t rows, columns, ld;
  int64_t elementBytes;
  int64_t count = 1;
  int64_t stride = 0;

  bool empty() const { return rows == 0 || columns == 0 || count == 0; }
  size_t bytes() const {
    return static_cast<size_t>(((count - 1) * stride + ld * (columns - 1) + rows) * elementBytes);
  }
};

class Arguments {
 public:
  void size(const char* name, int64_t value);
  void option(const char* name, int value, std::initializer_list<int> known);

  // A number that the call reads from host memory.
  void scalar(const char* name, const void* value, size_t bytes);

  void input(const char* name, const Extent& matrix);
  void output(const char* name, const Extent& matrix);  // as an input, and no two of its matrices overlap
  void array(const char* name, const void* data, int64_t count, size_t elementBytes);

  // What is written may not overlap what is read.
  void apart(const char* name, const Extent& written, const Extent& read);

  bool good() const { return good_; }

 private:
  void refuse(const std::string& why);

  bool good_ = true;
};

}  // namespace natgrad::fakeCuda
