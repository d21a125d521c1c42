// Whether two functions have the same parameters as far as a caller in machine code can tell.
#pragma once

#include <type_traits>

namespace natgrad::test {

// Pointers of any kind, whole numbers and enumerations of one size, or the same floating-point type.
template <class Ours, class Theirs>
constexpr bool passedAlike() {
  if constexpr (std::is_pointer_v<Ours> || std::is_pointer_v<Theirs>) {
    return std::is_pointer_v<Ours> && std::is_pointer_v<Theirs>;
  } else if constexpr (std::is_floating_point_v<Ours> || std::is_floating_point_v<Theirs>) {
    return std::is_same_v<Ours, Theirs>;
  } else {
    return sizeof(Ours) == sizeof(Theirs);
  }
}

template <class Ours, class Theirs>
struct Alike : std::false_type {};
template <class... Ours, class Result, class... Theirs>
struct Alike<int(Ours...), Result(Theirs...)> {
  static constexpr bool value = [] {
    if constexpr (sizeof...(Ours) == sizeof...(Theirs)) {
      return passedAlike<int, Result>() && (passedAlike<Ours, Theirs>() && ...);
    } else {
      return false;
    }
  }();
};

}  // namespace natgrad::test
