// As much of a PTX text as a driver looks at before it compiles it.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace natgrad::fakeCuda {

struct Ptx {
  int version = 0;                                     // 63 for 6.3
  int target = 0;                                      // 75 for sm_75
  std::map<std::string, std::vector<size_t>> entries;  // sizes in bytes of the parameters of each kernel
};

// False if it is no PTX.
bool readPtx(const std::string& text, Ptx& ptx);

// The newest version of the language that a driver compiles, by what cuDriverGetVersion says (the release notes in
// NVIDIA's "Parallel Thread Execution ISA").
int newestPtx(int driverVersion);

}  // namespace natgrad::fakeCuda
