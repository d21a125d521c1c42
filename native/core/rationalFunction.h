// Rational functions y = P(x) / Q(x) and their derivatives at many points, several side by side.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "core/jobs.h"

namespace natgrad::rationals {

// Elements that are computed side by side.
constexpr int64_t lanes = 8;

constexpr int64_t padded(int64_t count) { return (count + lanes - 1) / lanes * lanes; }

// The sign of a number, zero for zero.
template <class T>
T signOf(T x) {
  return x > T(0) ? T(1) : x < T(0) ? T(-1) : T(0);
}

// The lanes that are used; with all of them, as nearly always, in one move.
template <class T>
void copyLanes(const T* from, int64_t width, T* to) {
  if (width == lanes) {
    std::memcpy(to, from, lanes * sizeof(T));
  } else {
    std::copy(from, from + width, to);
  }
}

// What the denominator is, by version (A. Molina, P. Schramowski and K. Kersting, "Pade activation units", ICLR 2020;
// N. Boulle, Y. Nakatsukasa and A. Townsend, "Rational neural networks", NeurIPS 2020): with S the sum of b_j x^j over
// the powers from `firstPower` on,
//
//   A: Q = 1 + sum |b_j x^j|    B, D: Q = 1 + |S|    C: Q = .1 + |S|    N: Q = 1 + S    boulle: Q = S
struct Form {
  double constant;
  bool fromZero;  // the first power is x^0
  bool termwise;  // |b_j x^j|
  bool absolute;  // |S|
};

inline Form formOf(RationalVersion version) {
  switch (version) {
    case RationalVersion::a:
      return {1, false, true, false};
    case RationalVersion::b:
    case RationalVersion::d:
      return {1, false, false, true};
    case RationalVersion::c:
      return {.1, true, false, true};
    case RationalVersion::n:
      return {1, false, false, false};
    case RationalVersion::boulle:
      break;
  }
  return {0, true, false, false};
}

// The coefficients of some groups, those of one power side by side.
template <class T>
class Coefficients {
 public:
  Coefficients(const RationalLayout& layout, const T* numerator, const T* denominator, const T* noise)
      : layout_(layout), form_(formOf(layout.version)), stride_(padded(layout.groups)) {
    const int64_t size = layout.size();
    values_.assign(static_cast<size_t>(size * stride_), T(0));
    for (int64_t k = 0; k < size; ++k) {
      for (int64_t g = 0; g < layout.groups; ++g) {
        T value = k < layout.numeratorSize ? numerator[g * layout.numeratorSize + k]
                                           : denominator[g * layout.denominatorSize + k - layout.numeratorSize];
        if (noise != nullptr) value *= noise[g * size + k];
        values_[static_cast<size_t>(k * stride_ + g)] = value;
      }
    }
  }

  // Those of `lanes` groups from `group` on; of the group alone, in every lane, if `alone`. size() times `lanes` elements.
  void lanesOf(int64_t group, bool alone, T* out) const {
    for (int64_t k = 0; k < layout_.size(); ++k) {
      const T* from = values_.data() + k * stride_ + group;
      for (int64_t l = 0; l < lanes; ++l) out[k * lanes + l] = from[alone ? 0 : l];
    }
  }

  const Form& form() const { return form_; }

 private:
  const RationalLayout& layout_;
  Form form_;
  int64_t stride_;
  std::vector<T> values_;
};

// P, P', S and S' at `lanes` points, by Horner's rule; with |b_j| and |x| where the terms are taken absolutely.
template <class T>
struct Polynomials {
  T u[lanes], p[lanes], dp[lanes], s[lanes], ds[lanes];

  Polynomials(const RationalLayout& layout, const Form& form, const T* a, const T* b, const T* x) {
    horner(layout.numeratorSize, a, x, false, p, dp);
    for (int64_t l = 0; l < lanes; ++l) u[l] = form.termwise ? std::abs(x[l]) : x[l];
    horner(layout.denominatorSize, b, u, form.termwise, s, ds);
    if (form.fromZero) return;
    for (int64_t l = 0; l < lanes; ++l) {
      ds[l] = ds[l] * u[l] + s[l];
      s[l] *= u[l];
    }
  }

  static void horner(int64_t size, const T* c, const T* x, bool absolute, T* value, T* derivative) {
    for (int64_t l = 0; l < lanes; ++l) value[l] = derivative[l] = 0;
    for (int64_t k = size - 1; k >= 0; --k) {
      for (int64_t l = 0; l < lanes; ++l) {
        const T coefficient = absolute ? std::abs(c[k * lanes + l]) : c[k * lanes + l];
        derivative[l] = derivative[l] * x[l] + value[l];
        value[l] = value[l] * x[l] + coefficient;
      }
    }
  }
};

// Calls visit(first, count, step, group, alone) for strips of `count` points each, `step` elements apart, that cover the
// rows [begin, end): lane l of a strip is element first + l of every point. With one coefficient set for all of a strip
// (`alone`) the lanes are consecutive elements, else consecutive groups. The last argument is how many lanes are used.
template <class Visit>
void forEachStrip(const RationalLayout& layout, int64_t begin, int64_t end, Visit visit) {
  const auto run = [&](int64_t first, int64_t length, int64_t group) {
    const int64_t whole = length / lanes;
    if (whole > 0) visit(first, whole, lanes, group, true, lanes);
    if (length % lanes > 0) visit(first + whole * lanes, 1, lanes, group, true, length % lanes);
  };
  const int64_t period = layout.groups * layout.inner;
  if (layout.groups == 1) {
    run(begin * period, (end - begin) * period, 0);
  } else if (layout.inner == 1) {
    for (int64_t g = 0; g < layout.groups; g += lanes) {
      visit(begin * period + g, end - begin, period, g, false, std::min(lanes, layout.groups - g));
    }
  } else {
    for (int64_t r = begin; r < end; ++r) {
      for (int64_t g = 0; g < layout.groups; ++g) run(r * period + g * layout.inner, layout.inner, g);
    }
  }
}

template <class T>
void evaluate(const RationalLayout& layout, const Coefficients<T>& coefficients, int64_t begin, int64_t end, const T* x,
              T* y) {
  const Form form = coefficients.form();
  const T constant = static_cast<T>(form.constant);
  T c[2 * maxRationalCoefficients * lanes];
  const T* b = c + layout.numeratorSize * lanes;
  forEachStrip(layout, begin, end,
               [&](int64_t first, int64_t count, int64_t step, int64_t group, bool alone, int64_t width) {
                 coefficients.lanesOf(group, alone, c);
                 T points[lanes] = {}, values[lanes];
                 for (int64_t at = first; count-- > 0; at += step) {
                   copyLanes(x + at, width, points);
                   const Polynomials<T> v(layout, form, c, b, points);
                   for (int64_t l = 0; l < lanes; ++l) {
                     values[l] = v.p[l] / (constant + (form.absolute ? std::abs(v.s[l]) : v.s[l]));
                   }
                   copyLanes(values, width, y + at);
                 }
               });
}

// One strip of `differentiate` in a form that is known when this is compiled, so that the loops over the lanes have no
// branches. Points are `step` elements apart; `sums` has room for `block` of them in working precision.
template <class T, bool termwise, bool absolute>
void differentiateStrip(const RationalLayout& layout, const Form& form, const T* c, const T* x, const T* g, T* dx,
                        int64_t count, int64_t step, int64_t width, T* sums) {
  const int64_t m = layout.numeratorSize, n = layout.denominatorSize;
  const T* b = c + m * lanes;
  T* sumsOfB = sums + m * lanes;
  const T constant = static_cast<T>(form.constant);
  T points[lanes] = {}, gradients[lanes] = {}, slopes[lanes], t[lanes], r[lanes];
  for (; count-- > 0; x += step, g += step) {
    copyLanes(x, width, points);
    copyLanes(g, width, gradients);
    const Polynomials<T> v(layout, form, c, b, points);
    for (int64_t l = 0; l < lanes; ++l) {
      const T s = absolute ? signOf(v.s[l]) : T(1);
      const T reciprocal = T(1) / (constant + s * v.s[l]);
      const T y = v.p[l] * reciprocal;
      const T dq = (termwise ? signOf(points[l]) : s) * v.ds[l];
      t[l] = gradients[l] * reciprocal;
      slopes[l] = t[l] * (v.dp[l] - y * dq);
      r[l] = -s * t[l] * y;
    }
    if (dx != nullptr) {
      copyLanes(slopes, width, dx);
      dx += step;
    }
    for (int64_t k = 0; k < m; ++k) {
      for (int64_t l = 0; l < lanes; ++l) {
        sums[k * lanes + l] += t[l];
        t[l] *= points[l];
      }
    }
    if (!form.fromZero) {
      for (int64_t l = 0; l < lanes; ++l) r[l] *= v.u[l];
    }
    for (int64_t k = 0; k < n; ++k) {
      for (int64_t l = 0; l < lanes; ++l) {
        sumsOfB[k * lanes + l] += r[l];
        r[l] *= v.u[l];
      }
    }
  }
}

// With g the gradient at y:
//
//   dy/dx = (P' - y Q') / Q,   dy/da_i = x^i / Q,   dy/db_j = -s_j x^j y / Q,
//
// s_j = sign(b_j x^j) in version A, sign(S) where |S| is taken, 1 otherwise. Adds the sums over the rows [begin, end) of
// g dy/da_i and g dy/db_j to totals[group][size]; writes g dy/dx if `dx` is not null.
template <class T>
void differentiate(const RationalLayout& layout, const Coefficients<T>& coefficients, int64_t begin, int64_t end,
                   const T* x, const T* g, T* dx, double* totals) {
  // Sums in working precision are kept short.
  constexpr int64_t block = 128;
  constexpr int64_t room = 2 * maxRationalCoefficients * lanes;
  const Form form = coefficients.form();
  const int64_t size = layout.size();
  const auto strip = form.termwise   ? differentiateStrip<T, true, false>
                     : form.absolute ? differentiateStrip<T, false, true>
                                     : differentiateStrip<T, false, false>;
  T c[room], sums[room];
  forEachStrip(layout, begin, end,
               [&](int64_t first, int64_t count, int64_t step, int64_t group, bool alone, int64_t width) {
                 coefficients.lanesOf(group, alone, c);
                 for (int64_t done = 0; done < count; done += block) {
                   const int64_t at = first + done * step;
                   std::fill(sums, sums + size * lanes, T(0));
                   strip(layout, form, c, x + at, g + at, dx == nullptr ? nullptr : dx + at,
                         std::min(block, count - done), step, width, sums);
                   for (int64_t k = 0; k < size; ++k) {
                     for (int64_t l = 0; l < width; ++l) {
                       const bool signedTerm = form.termwise && k >= layout.numeratorSize;
                       const double sign = signedTerm ? static_cast<double>(signOf(c[k * lanes + l])) : 1;
                       totals[(group + (alone ? 0 : l)) * size + k] += sign * static_cast<double>(sums[k * lanes + l]);
                     }
                   }
                 }
               });
}

}  // namespace natgrad::rationals
