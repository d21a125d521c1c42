#include "arguments.h"

#include <algorithm>

#include "memory.h"
#include "state.h"

namespace natgrad::fakeCuda {
namespace {

// Whether two blocks of one larger matrix, of columns `ld` apart, share an element; `distance` is from the first to the
// second.
bool blocksOverlap(const Extent& first, const Extent& second, int64_t distance) {
  const int64_t ld = first.ld;
  const int64_t column = distance >= 0 ? distance / ld : -((ld - 1 - distance) / ld);
  const int64_t row = distance - column * ld;
  const auto meet = [&](int64_t rowOffset, int64_t columnOffset) {
    return rowOffset < first.rows && rowOffset + second.rows > 0 && columnOffset < first.columns &&
           columnOffset + second.columns > 0;
  };
  // The second block begins `row` rows below the first, or ld - row above it and a column further right.
  return meet(row, column) || meet(row - ld, column + 1);
}

}  // namespace

void Arguments::refuse(const std::string& why) {
  good_ = false;
  violation("%s", why.c_str());
}

void Arguments::size(const char* name, int64_t value) {
  if (value < 0) refuse(std::string(name) + " is " + std::to_string(value));
}

void Arguments::option(const char* name, int value, std::initializer_list<int> known) {
  if (std::find(known.begin(), known.end(), value) == known.end()) {
    refuse(std::string(name) + " has no value " + std::to_string(value));
  }
}

void Arguments::scalar(const char* name, const void* value, size_t bytes) {
  if (value == nullptr || isDeviceAddress(value)) {
    refuse(std::string(name) + " is no address of the host");
  } else if (!checkHost(value, bytes)) {
    good_ = false;
  }
}

void Arguments::input(const char* name, const Extent& matrix) {
  if (!good_) return;
  if (matrix.ld < std::max<int64_t>(1, matrix.rows)) {
    refuse(std::string("the leading dimension of ") + name + " is " + std::to_string(matrix.ld) + ", its rows are " +
           std::to_string(matrix.rows));
  }
  if (!good_ || matrix.empty()) return;
  if (reinterpret_cast<uintptr_t>(matrix.data) % static_cast<uintptr_t>(matrix.elementBytes) != 0) {
    refuse(std::string(name) + " is not aligned to its elements");
  } else if (!checkDevice(matrix.data, matrix.bytes(), name)) {
    good_ = false;
  }
}

void Arguments::output(const char* name, const Extent& matrix) {
  input(name, matrix);
  if (matrix.count > 1 && !matrix.empty() && matrix.stride < matrix.ld * (matrix.columns - 1) + matrix.rows) {
    refuse(std::string("the matrices of ") + name + " overlap");
  }
}

void Arguments::array(const char* name, const void* data, int64_t count, size_t elementBytes) {
  if (good_ && count > 0 && !checkDevice(data, static_cast<size_t>(count) * elementBytes, name)) good_ = false;
}

void Arguments::apart(const char* name, const Extent& written, const Extent& read) {
  if (!good_ || written.empty() || read.empty()) return;
  const char* w = static_cast<const char*>(written.data);
  const char* r = static_cast<const char*>(read.data);
  if (w >= r + read.bytes() || r >= w + written.bytes()) return;
  const bool oneLarger =
      written.ld == read.ld && written.elementBytes == read.elementBytes && written.count == 1 && read.count == 1;
  if (oneLarger && !blocksOverlap(written, read, (r - w) / written.elementBytes)) return;
  refuse(std::string(name) + " overlaps what is written");
}

}  // namespace natgrad::fakeCuda
