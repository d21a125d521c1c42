// A register full of numbers, as GCC and Clang vector types, and the few operations they have no operator for.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace natgrad {
namespace NATGRAD_SIMD {
namespace {

#if defined(__AVX512F__)
constexpr int registerBytes = 64;
constexpr int registerCount = 32;
#elif defined(__AVX2__)
constexpr int registerBytes = 32;
constexpr int registerCount = 16;
#else
constexpr int registerBytes = 16;
constexpr int registerCount = 16;
#endif

template <class T>
struct Lanes;
template <>
struct Lanes<float> {
  typedef float Type __attribute__((vector_size(registerBytes)));
};
template <>
struct Lanes<double> {
  typedef double Type __attribute__((vector_size(registerBytes)));
};
template <class T>
using LanesOf = typename Lanes<T>::Type;

template <class T>
constexpr int64_t width = registerBytes / static_cast<int64_t>(sizeof(T));

template <class T>
inline LanesOf<T> load(const T* p) {
  LanesOf<T> v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

template <class T>
inline void store(T* p, LanesOf<T> v) {
  __builtin_memcpy(p, &v, sizeof v);
}

// The first `count` lanes from memory, the others zero; and the first `count` lanes to memory. At least one, at most all.
#if defined(__AVX512F__)
inline LanesOf<float> loadPart(const float* p, int64_t count) {
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>(0xffff >> (16 - count)), p);
}
inline LanesOf<double> loadPart(const double* p, int64_t count) {
  return _mm512_maskz_loadu_pd(static_cast<__mmask8>(0xff >> (8 - count)), p);
}
inline void storePart(float* p, LanesOf<float> v, int64_t count) {
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>(0xffff >> (16 - count)), v);
}
inline void storePart(double* p, LanesOf<double> v, int64_t count) {
  _mm512_mask_storeu_pd(p, static_cast<__mmask8>(0xff >> (8 - count)), v);
}
#else
template <class T>
inline LanesOf<T> loadPart(const T* p, int64_t count) {
  if (count == width<T>) return load(p);
  LanesOf<T> v{};
  __builtin_memcpy(&v, p, static_cast<size_t>(count) * sizeof(T));
  return v;
}

template <class T>
inline void storePart(T* p, LanesOf<T> v, int64_t count) {
  if (count == width<T>) return store(p, v);
  __builtin_memcpy(p, &v, static_cast<size_t>(count) * sizeof(T));
}
#endif

template <class T>
inline LanesOf<T> broadcast(T x) {
  return x - LanesOf<T>{};
}

// Keeps the compiler from loading a broadcast value again in every instruction that uses it: loads would be the bottleneck.
template <class V>
inline void holdInRegister(V& v) {
#if defined(__AVX2__)
  asm("" : "+v"(v));
#else
  (void)v;
#endif
}

// c + a b and c - a b, rounded once where the processor can; the scalar forms round exactly as the vector forms do.
// (The plain square root of 512 bits makes GCC 12 warn inside its own header.)
#if defined(__AVX512F__)
inline LanesOf<float> mulAdd(LanesOf<float> a, LanesOf<float> b, LanesOf<float> c) { return _mm512_fmadd_ps(a, b, c); }
inline LanesOf<double> mulAdd(LanesOf<double> a, LanesOf<double> b, LanesOf<double> c) {
  return _mm512_fmadd_pd(a, b, c);
}
inline LanesOf<float> mulSub(LanesOf<float> a, LanesOf<float> b, LanesOf<float> c) { return _mm512_fnmadd_ps(a, b, c); }
inline LanesOf<double> mulSub(LanesOf<double> a, LanesOf<double> b, LanesOf<double> c) {
  return _mm512_fnmadd_pd(a, b, c);
}
inline LanesOf<float> squareRoot(LanesOf<float> x) { return _mm512_maskz_sqrt_ps(0xffff, x); }
inline LanesOf<double> squareRoot(LanesOf<double> x) { return _mm512_maskz_sqrt_pd(0xff, x); }
#elif defined(__AVX2__)
inline LanesOf<float> mulAdd(LanesOf<float> a, LanesOf<float> b, LanesOf<float> c) { return _mm256_fmadd_ps(a, b, c); }
inline LanesOf<double> mulAdd(LanesOf<double> a, LanesOf<double> b, LanesOf<double> c) {
  return _mm256_fmadd_pd(a, b, c);
}
inline LanesOf<float> mulSub(LanesOf<float> a, LanesOf<float> b, LanesOf<float> c) { return _mm256_fnmadd_ps(a, b, c); }
inline LanesOf<double> mulSub(LanesOf<double> a, LanesOf<double> b, LanesOf<double> c) {
  return _mm256_fnmadd_pd(a, b, c);
}
inline LanesOf<float> squareRoot(LanesOf<float> x) { return _mm256_sqrt_ps(x); }
inline LanesOf<double> squareRoot(LanesOf<double> x) { return _mm256_sqrt_pd(x); }
#else
template <class V>
inline V mulAdd(V a, V b, V c) {
  return c + a * b;
}
template <class V>
inline V mulSub(V a, V b, V c) {
  return c - a * b;
}
inline LanesOf<float> squareRoot(LanesOf<float> x) {
  for (int i = 0; i < width<float>; ++i) x[i] = __builtin_sqrtf(x[i]);
  return x;
}
inline LanesOf<double> squareRoot(LanesOf<double> x) {
  for (int i = 0; i < width<double>; ++i) x[i] = __builtin_sqrt(x[i]);
  return x;
}
#endif

#if defined(__FMA__)
inline float mulSub(float a, float b, float c) { return __builtin_fmaf(-a, b, c); }
inline double mulSub(double a, double b, double c) { return __builtin_fma(-a, b, c); }
#endif

inline float squareRoot(float x) { return __builtin_sqrtf(x); }
inline double squareRoot(double x) { return __builtin_sqrt(x); }

}  // namespace
}  // namespace NATGRAD_SIMD
}  // namespace natgrad
