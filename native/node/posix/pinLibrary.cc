#include "node/pinLibrary.h"

#include <dlfcn.h>

namespace natgrad {

void pinLibrary() {
  Dl_info self{};
  if (dladdr(reinterpret_cast<const void*>(&pinLibrary), &self) != 0) {
    dlopen(self.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
  }
}

}  // namespace natgrad
