// Jobs of every kind, with the memory they name.
#pragma once

#include <functional>
#include <random>
#include <string>
#include <vector>

#include "core/jobs.h"
#include "gallery.h"

namespace natgrad::test {

template <class T>
using Arrays = std::vector<std::vector<T>>;

template <class T>
struct Case {
  std::string name;
  Arrays<T> arrays;
  std::function<TypedJob<T>(Arrays<T>&)> job;
};

template <class T>
std::vector<T> numbers(int64_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  std::vector<T> values;
  for (int64_t i = 0; i < size; ++i) values.push_back(static_cast<T>(normal(random)));
  return values;
}

template <class T>
std::vector<T> definite(int64_t n, unsigned seed) {
  return lowerOf<T>(withSpectrum(geometric(n, 50), seed), n);
}

template <class T>
std::vector<T> symmetric(int64_t n, unsigned seed) {
  return widen<T>(definite<T>(n, seed), n);
}

inline const std::vector<int32_t>& indices() {
  static const std::vector<int32_t> all{0, 2, 2, 4, 1};
  return all;
}

// 2 images of 5 by 6 by 3, kernels of 3 by 2, strides, dilation and padding all at work; and kernels of one pixel.
inline const ConvGeometry wide{2, 5, 6, 3, 3, 2, 2, 1, 1, 2, 1, 1, 3, 6};
inline const ConvGeometry pixel{2, 5, 6, 3, 1, 1, 1, 1, 1, 1, 0, 0, 5, 6};

template <class T>
Rows<T> dense(const T* data, int64_t rows, int64_t columns) {
  return {data, rows, columns, false, ConvGeometry()};
}
template <class T>
Rows<T> patches(const T* data, const ConvGeometry& g) {
  return {data, 0, 0, true, g};
}

template <class T>
void addFactors(std::vector<Case<T>>& cases) {
  for (const bool homogeneous : {false, true}) {
    for (const double decay : {0.0, 0.9}) {
      const std::string which = std::string(homogeneous ? ", homogeneous" : "") + (decay == 0 ? ", anew" : "");
      const int64_t extra = homogeneous ? 1 : 0;
      cases.push_back({"factor of two inputs" + which,
                       {numbers<T>(700 * 40, 1), numbers<T>(3 * 40, 2), definite<T>(40 + extra, 3)},
                       [=](Arrays<T>& a) -> TypedJob<T> {
                         return FactorJob<T>{{{dense(a[0].data(), 700, 40), 0.01}, {dense(a[1].data(), 3, 40), 0.5}},
                                             homogeneous,
                                             decay,
                                             a[2].data(),
                                             40 + extra};
                       }});
      for (const ConvGeometry& g : {wide, pixel}) {
        const int64_t size = g.patchSize() + extra;
        cases.push_back({"factor of patches" + which,
                         {numbers<T>(2 * 5 * 6 * 3, 4), definite<T>(size, 5)},
                         [=](Arrays<T>& a) -> TypedJob<T> {
                           return FactorJob<T>{{{patches(a[0].data(), g), 0.1}}, homogeneous, decay, a[1].data(), size};
                         }});
      }
      cases.push_back(
          {"factor of no rows" + which, {numbers<T>(4, 1), definite<T>(3, 3)}, [=](Arrays<T>& a) -> TypedJob<T> {
             return FactorJob<T>{{{dense(a[0].data(), 0, 3 - extra), 1.0}}, homogeneous, decay, a[1].data(), 3};
           }});
    }
  }
  cases.push_back({"diagonal factor",
                   {numbers<T>(600 * 33, 1), numbers<T>(33, 2), numbers<T>(33, 3)},
                   [](Arrays<T>& a) -> TypedJob<T> {
                     return DiagonalFactorJob<T>{
                         {{a[0].data(), nullptr, 600, 0.1}, {a[1].data(), nullptr, 1, 2.0}}, 0.5, a[2].data(), 33};
                   }});
  cases.push_back({"diagonal factor of indices", {numbers<T>(5, 3)}, [](Arrays<T>& a) -> TypedJob<T> {
                     return DiagonalFactorJob<T>{{{nullptr, indices().data(), 5, 2.0}}, 0.5, a[0].data(), 5};
                   }});
}

template <class T>
void addKronecker(std::vector<Case<T>>& cases) {
  const std::vector<MatrixForm> forms{MatrixForm::full, MatrixForm::lower, MatrixForm::diagonal};
  const auto factor = [](MatrixForm form, int64_t n, unsigned seed) {
    if (form == MatrixForm::diagonal) return numbers<T>(n, seed);
    return form == MatrixForm::full ? numbers<T>(n * n, seed) : definite<T>(n, seed);
  };
  for (const MatrixForm left : forms) {
    for (const MatrixForm right : forms) {
      for (const bool apart : {false, true}) {
        for (const bool transposed : {false, true}) {
          if (transposed && left != MatrixForm::full && right != MatrixForm::full) continue;
          const int64_t rows = apart ? 10 : 11;
          cases.push_back({"kronecker " + std::to_string(static_cast<int>(left)) +
                               std::to_string(static_cast<int>(right)) + (apart ? ", last row apart" : "") +
                               (transposed ? ", transposed" : ""),
                           {factor(left, 11, 1), factor(right, 7, 2), numbers<T>(rows * 7, 3), numbers<T>(7, 4),
                            numbers<T>(rows * 7, 5), numbers<T>(7, 6)},
                           [=](Arrays<T>& a) -> TypedJob<T> {
                             KroneckerJob<T> job{a[0].data(), 11,          left,        a[1].data(), 7,
                                                 right,       a[2].data(), a[3].data(), a[4].data(), a[5].data()};
                             if (!apart) {
                               job.inputLast = nullptr;
                               job.outLast = nullptr;
                             }
                             job.leftTransposed = transposed && left == MatrixForm::full;
                             job.rightTransposed = transposed && right == MatrixForm::full;
                             return job;
                           }});
        }
      }
    }
  }
}

template <class T>
void addProducts(std::vector<Case<T>>& cases) {
  for (const bool transposeLeft : {false, true}) {
    for (const bool transposeRight : {false, true}) {
      for (const int64_t count : {1, 3}) {
        for (const double kept : {0.0, 0.5}) {
          cases.push_back({"product",
                           {numbers<T>(count * 35, 1), numbers<T>(count * 42, 2), numbers<T>(count * 30, 3)},
                           [=](Arrays<T>& a) -> TypedJob<T> {
                             return ProductJob<T>{a[0].data(),    a[1].data(), 5,    7,           6,    transposeLeft,
                                                  transposeRight, 0.7,         kept, a[2].data(), count};
                           }});
        }
      }
    }
  }
  for (const double kept : {0.0, 0.5}) {
    for (const int64_t inner : {0, 7}) {
      cases.push_back({"product with its last row apart",
                       {numbers<T>(35, 1), numbers<T>(42, 2), numbers<T>(24, 3), numbers<T>(6, 4)},
                       [=](Arrays<T>& a) -> TypedJob<T> {
                         return ProductJob<T>{a[0].data(), a[1].data(), 5,    inner,         6, true,
                                              false,       0.7,         kept, a[2].data(), 1, a[3].data()};
                       }});
    }
    cases.push_back({"product of nothing", {numbers<T>(1, 1), numbers<T>(6, 3)}, [=](Arrays<T>& a) -> TypedJob<T> {
                       return ProductJob<T>{a[0].data(), a[0].data(), 2, 0, 3, false, false, 1, kept, a[1].data()};
                     }});
  }
}

template <class T>
void addPasses(std::vector<Case<T>>& cases) {
  const Arrays<T> three{numbers<T>(1000, 1), numbers<T>(1000, 2), numbers<T>(1000, 3)};
  cases.push_back({"scale", three, [](Arrays<T>& a) -> TypedJob<T> {
                     return ScaleJob<T>{a[0].data(), a[1].data(), a[2].data(), 1000};
                   }});
  cases.push_back({"update", three, [](Arrays<T>& a) -> TypedJob<T> {
                     return UpdateJob<T>{a[0].data(), a[1].data(), a[2].data(), 1000, 0.9, -0.1, 0.99};
                   }});
  cases.push_back({"update without velocity", three, [](Arrays<T>& a) -> TypedJob<T> {
                     return UpdateJob<T>{a[0].data(), a[1].data(), nullptr, 1000, 0.9, -0.1, 0.99};
                   }});
  cases.push_back({"combine in place", three, [](Arrays<T>& a) -> TypedJob<T> {
                     return CombineJob<T>{
                         {{a[0].data(), 2}, {a[1].data(), -0.5}, {a[2].data(), 0.25}}, a[2].data(), 1000};
                   }});
  for (const Elementwise how : {Elementwise::multiply, Elementwise::divide}) {
    for (const int out : {0, 1, 2}) {
      cases.push_back({"elementwise", three, [=](Arrays<T>& a) -> TypedJob<T> {
                         return ElementwiseJob<T>{how, a[0].data(), a[1].data(), 5, a[static_cast<size_t>(out)].data(),
                                                  1000};
                       }});
    }
  }
  cases.push_back(
      {"dot", three, [](Arrays<T>& a) -> TypedJob<T> { return DotJob<T>{a[0].data(), a[1].data(), 1000}; }});
  std::vector<T> positive = numbers<T>(500, 4);
  for (T& x : positive) x = x * x;
  const std::vector<T> partner = definite<T>(6, 2);
  for (const double damping : {0.1, -1.0}) {
    cases.push_back({"diagonal inverse", {positive, numbers<T>(500, 5), partner}, [=](Arrays<T>& a) -> TypedJob<T> {
                       return DiagonalInverseJob<T>{a[0].data(), 500, {damping, nullptr, 0, false}, a[1].data()};
                     }});
  }
  cases.push_back(
      {"diagonal inverse with a partner", {positive, numbers<T>(500, 5), partner}, [](Arrays<T>& a) -> TypedJob<T> {
         return DiagonalInverseJob<T>{a[0].data(), 500, {0.1, a[2].data(), 6, false}, a[1].data()};
       }});
}

template <class T>
void addOthers(std::vector<Case<T>>& cases) {
  cases.push_back(
      {"inverse", {definite<T>(20, 1), numbers<T>(400, 2), definite<T>(7, 3)}, [](Arrays<T>& a) -> TypedJob<T> {
         return InverseJob<T>{a[0].data(), 20, {0.1, a[2].data(), 7, false}, a[1].data()};
       }});
  cases.push_back({"inverse root", {definite<T>(20, 1), numbers<T>(400, 2)}, [](Arrays<T>& a) -> TypedJob<T> {
                     return InverseRootJob<T>{
                         a[0].data(), 20,         damp<T>(0.1), 4, RootMethod::automatic, sizeof(T) == 4 ? 1e-6 : 1e-13,
                         0,           a[1].data()};
                   }});
  cases.push_back({"eigh of a diagonal matrix",
                   {lowerOf<T>(diagonalMatrix({3, 1, 2}), 3), numbers<T>(3, 1), numbers<T>(9, 2)},
                   [](Arrays<T>& a) -> TypedJob<T> { return EighJob<T>{a[0].data(), 3, a[1].data(), a[2].data()}; }});
  cases.push_back({"scores",
                   {numbers<T>(12 * 5, 1), numbers<T>(12 * 4, 2), numbers<T>(3 * 24, 3)},
                   [](Arrays<T>& a) -> TypedJob<T> {
                     return ScoresJob<T>{dense(a[0].data(), 12, 5), a[1].data(), 4, 3, true, 0.5, 0.25, a[2].data()};
                   }});
  cases.push_back({"unit factors",
                   {numbers<T>(12 * 5, 1), numbers<T>(12 * 2, 2), symmetric<T>(5, 3), symmetric<T>(5, 3)},
                   [](Arrays<T>& a) -> TypedJob<T> {
                     a[2].resize(50, T(1));
                     return UnitFactorsJob<T>{
                         {{dense(a[0].data(), 12, 5), 0.5, a[1].data()}}, false, 0.9, a[2].data(), 5, 2};
                   }});
  cases.push_back({"rational factor",
                   {numbers<T>(24, 1), numbers<T>(24, 2), numbers<T>(4, 3), numbers<T>(4, 4), numbers<T>(32, 5)},
                   [](Arrays<T>& a) -> TypedJob<T> {
                     const RationalLayout layout{RationalVersion::a, 6, 2, 2, 2, 2};
                     return RationalFactorJob<T>{
                         layout,     {{a[0].data(), a[1].data(), 6, a[2].data(), a[3].data(), nullptr}}, 3, 0.5, 0.1,
                         a[4].data()};
                   }});
}

template <class T>
std::vector<Case<T>> cases() {
  std::vector<Case<T>> all;
  addFactors(all);
  addKronecker(all);
  addProducts(all);
  addPasses(all);
  addOthers(all);
  return all;
}

}  // namespace natgrad::test
