// Arithmetic operations of a job, roughly: what decides which is started first, and whether waking a thread pays.
#pragma once

#include <algorithm>

#include "core/jobs.h"
#include "core/rows.h"

namespace natgrad {

inline double cube(int64_t n) { return static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(n); }

template <class T>
double cost(const FactorJob<T>& job) {
  double rows = 0;
  for (const FactorInput<T>& input : job.inputs) rows += static_cast<double>(rowCount(input));
  return rows * static_cast<double>(job.size) * static_cast<double>(job.size);
}

template <class T>
double cost(const DiagonalFactorJob<T>& job) {
  double sum = static_cast<double>(job.size);
  for (const DiagonalFactorInput<T>& input : job.inputs) {
    sum += static_cast<double>(input.rows) * (input.data == nullptr ? 1 : static_cast<double>(job.size));
  }
  return sum;
}

template <class T>
double cost(const InverseJob<T>& job) {
  return (job.start == nullptr ? 1 : 20) * static_cast<double>(job.count) * cube(job.size);
}

template <class T>
double cost(const DiagonalInverseJob<T>& job) {
  return static_cast<double>(job.size);
}

template <class T>
double cost(const InverseRootJob<T>& job) {
  return (job.p == 1 ? 1 : 10) * cube(job.size);
}

template <class T>
double cost(const EighJob<T>& job) {
  return 15 * cube(job.size);
}

template <class T>
double cost(const KroneckerJob<T>& job) {
  const double elements = static_cast<double>(job.leftSize) * static_cast<double>(job.rightSize);
  const double left = job.leftForm == MatrixForm::diagonal ? 1 : static_cast<double>(job.leftSize);
  const double right = job.rightForm == MatrixForm::diagonal ? 1 : static_cast<double>(job.rightSize);
  return 2 * elements * (left + right);
}

template <class T>
double cost(const ScaleJob<T>& job) {
  return static_cast<double>(job.size);
}

template <class T>
double cost(const UpdateJob<T>& job) {
  return static_cast<double>(job.size);
}

template <class T>
double cost(const CombineJob<T>& job) {
  return static_cast<double>(job.size) * static_cast<double>(job.terms.size());
}

template <class T>
double cost(const ProductJob<T>& job) {
  const double products = static_cast<double>(job.count) * static_cast<double>(job.rows);
  return 2 * products * static_cast<double>(job.inner) * static_cast<double>(job.columns);
}

template <class T>
double cost(const ElementwiseJob<T>& job) {
  return static_cast<double>(job.size);
}

template <class T>
double cost(const DotJob<T>& job) {
  return static_cast<double>(job.size);
}

template <class T>
double cost(const ScoresJob<T>& job) {
  const double elements = static_cast<double>(columnCount(job.activation)) * static_cast<double>(job.outputs);
  return 2 * static_cast<double>(std::max(rowCount(job.activation), job.examples)) * elements;
}

// The decomposition of the smallest of the sides counts as that of `eigh`.
template <class T>
double cost(const LowRankScoresJob<T>& job) {
  if (job.examples == 0) return 0;
  const int64_t rows = rowCount(job.activation) / job.examples;
  const double sides = static_cast<double>(columnCount(job.activation) + job.outputs);
  const int64_t smallest = std::min({rows, columnCount(job.activation) + 1, job.outputs});
  const double products = 2 * sides * static_cast<double>(smallest) * static_cast<double>(std::max(rows, smallest));
  return static_cast<double>(job.examples) * (products + 15 * cube(smallest));
}

template <class T>
double cost(const UnitFactorsJob<T>& job) {
  double rows = 0;
  for (const UnitFactorInput<T>& input : job.inputs) rows += static_cast<double>(rowCount(input));
  const double size = static_cast<double>(job.size);
  return (rows + 1) * size * size * static_cast<double>(job.count);
}

template <class T>
double cost(const RationalFactorJob<T>& job) {
  double elements = 0;
  for (const RationalInput<T>& input : job.inputs) {
    elements += static_cast<double>(input.rows) * static_cast<double>(job.layout.groups * job.layout.inner);
  }
  const double size = static_cast<double>(job.layout.size());
  return 4 * elements * size + static_cast<double>(job.examples * job.layout.groups) * size * size;
}

}  // namespace natgrad
