#include "cuda/libraries.h"

#include <dlfcn.h>
#include <link.h>

#include <cstring>
#include <initializer_list>

namespace natgrad::cuda {

namespace {

// dlsym gives an object pointer where a function pointer is meant, which C++ lets pass only as bits.
template <class Function>
bool find(const Library& library, const char* name, Function& function) {
  void* const symbol = dlsym(library.handle, name);
  static_assert(sizeof symbol == sizeof function);
  std::memcpy(&function, &symbol, sizeof symbol);
  return symbol != nullptr;
}

// The first of these that is loaded already, else the first that can be loaded.
Library open(std::initializer_list<const char*> names, std::string& error) {
  Library library;
  for (const int mode : {RTLD_NOW | RTLD_NOLOAD, RTLD_NOW}) {
    for (const char* name : names) {
      library.handle = dlopen(name, mode);
      if (library.handle == nullptr) {
        if ((mode & RTLD_NOLOAD) != 0) continue;
        const char* const text = dlerror();
        error += (error.empty() ? "" : "; ") + std::string(text != nullptr ? text : name);
        continue;
      }
      library.name = name;
      link_map* map = nullptr;
      if (dlinfo(library.handle, RTLD_DI_LINKMAP, &map) == 0) library.path = map->l_name;
      return library;
    }
  }
  return library;
}

std::string missing(const Library& library, const char* symbol) {
  return library.path + " lacks the function " + symbol;
}

}  // namespace

#define NATGRAD_FIND(name, ...) \
  if (!find(library, #name, table.name)) return missing(library, #name);

std::string Libraries::openDriver() {
  std::string error;
  driverLibrary = open({"libcuda.so.1"}, error);
  if (driverLibrary.handle == nullptr) return "there is no NVIDIA driver (" + error + ")";
  Driver& table = driver;
  const Library& library = driverLibrary;
  NATGRAD_DRIVER(NATGRAD_FIND)
  const int started = driver.cuInit(0);
  return started == cudaSuccess ? std::string() : describe("cuInit", started);
}

std::string Libraries::openMathLibraries() {
  std::string error;
  blasLibrary = open({"libcublas.so.13", "libcublas.so.12", "libcublas.so.11"}, error);
  if (blasLibrary.handle == nullptr) return "cuBLAS was not found (" + error + ")";
  {
    Cublas& table = blas;
    const Library& library = blasLibrary;
    NATGRAD_CUBLAS(NATGRAD_FIND)
  }
  // cuSOLVER is number 12 in CUDA 13, and 11 in both CUDA 12 and 11.
  error.clear();
  const char* const partner = blasLibrary.name == "libcublas.so.13" ? "libcusolver.so.12" : "libcusolver.so.11";
  solverLibrary = open({partner}, error);
  if (solverLibrary.handle == nullptr) return "cuSOLVER was not found beside " + blasLibrary.name + " (" + error + ")";
  Cusolver& table = solver;
  const Library& library = solverLibrary;
  NATGRAD_CUSOLVER(NATGRAD_FIND)
  return std::string();
}

#undef NATGRAD_FIND

std::string Libraries::describe(const char* call, int error) const {
  const char* name = nullptr;
  const char* text = nullptr;
  if (driver.cuGetErrorName(error, &name) != cudaSuccess || name == nullptr) name = "an unknown error";
  if (driver.cuGetErrorString(error, &text) != cudaSuccess || text == nullptr) text = "no description";
  return std::string(call) + ": " + name + " (" + text + ")";
}

}  // namespace natgrad::cuda
