#include "node/openDevice.h"

namespace natgrad {

LoadedPlugin loadPlugin(const std::string& path) {
  return {nullptr, "the CUDA back end is not made for Windows (" + path + ")"};
}

}  // namespace natgrad
