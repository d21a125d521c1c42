// Kernels that a module may contain: C++ functions of one thread each.
#pragma once

#include <cstddef>
#include <cstring>
#include <functional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace natgrad::fakeCuda {

struct Kernel {
  struct Parameter {
    size_t bytes;
    bool pointer;
  };
  std::string name;
  std::vector<Parameter> parameters;
  // One thread, with copies of the parameters at these addresses.
  std::function<std::function<void()>(void* const*)> bind;
};

template <class T>
T parameterAt(const void* address) {
  std::remove_cv_t<T> value;
  std::memcpy(&value, address, sizeof value);
  return value;
}

template <class... P, size_t... I>
std::function<void()> bindParameters(void (*function)(P...), void* const* addresses, std::index_sequence<I...>) {
  return [function, values = std::tuple<std::remove_cv_t<P>...>(parameterAt<P>(addresses[I])...)] {
    std::apply(function, values);
  };
}

template <class... P>
Kernel kernelOf(const char* name, void (*function)(P...)) {
  static_assert((std::is_trivially_copyable_v<P> && ...));
  return {name, {{sizeof(P), std::is_pointer_v<P>}...}, [function](void* const* addresses) {
            return bindParameters(function, addresses, std::index_sequence_for<P...>());
          }};
}

// Makes a kernel known, once, before a module that has it is loaded.
void addKernel(Kernel kernel);

// Null if there is none of this name.
const Kernel* findKernel(const std::string& name);

}  // namespace natgrad::fakeCuda
