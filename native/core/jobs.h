// The work the core does, as plain structs: the C++ side of src/linalg/jobs.ts, where each job's meaning is written down.
// The glue checks every pointer and size before it fills one in; the core trusts the sizes, not the numbers.
//
// Matrices are row-major; symmetric ones are given by their lower triangle, and what lies above the diagonal is never read.
#pragma once

#include <cstdint>
#include <limits>
#include <variant>
#include <vector>

namespace natgrad {

enum class Status : int32_t { ok, notConverged, notPositiveDefinite, notFinite, outOfMemory, deviceLost };

struct Report {
  Status status = Status::ok;
  double residual = 0;
  int64_t iterations = 0;
  bool converged = true;
  double minEigenvalue = std::numeric_limits<double>::quiet_NaN();  // where it is not computed
  double damping = 0;                                               // what was really added to the diagonal
  int64_t retries = 0;                                              // rungs of the ladder that were needed
  double dot = 0;
};

// Of a job that has written nothing.
inline Report failure(Status status) {
  Report report;
  report.status = status;
  report.converged = false;
  return report;
}

// Of every field the worst value: the report of a job of several matrices.
Report worstOf(const std::vector<Report>& reports);

struct ConvGeometry {
  int64_t batch, inHeight, inWidth, channels;
  int64_t kernelHeight, kernelWidth, strideHeight, strideWidth, dilationHeight, dilationWidth;
  int64_t padTop, padLeft, outHeight, outWidth;

  int64_t patchSize() const { return kernelHeight * kernelWidth * channels; }
  int64_t patches() const { return batch * outHeight * outWidth; }
};

// The rows of a matrix: dense, or the patches of images.
template <class T>
struct Rows {
  const T* data;
  int64_t rows, columns;  // of a dense matrix; unused for patches
  bool patches;
  ConvGeometry geometry;  // of patches; unused for a dense matrix
};

template <class T>
struct FactorInput : Rows<T> {
  double scale;
};

template <class T>
struct FactorJob {
  std::vector<FactorInput<T>> inputs;
  bool homogeneous;
  double decay;
  T* factor;
  int64_t size;
};

template <class T>
struct DiagonalFactorInput {
  const T* data;           // dense rows, or null
  const int32_t* indices;  // or indices, each in [0, size); the glue has checked them
  int64_t rows;            // number of rows, or of indices
  double scale;
};

template <class T>
struct DiagonalFactorJob {
  std::vector<DiagonalFactorInput<T>> inputs;
  double decay;
  T* factor;
  int64_t size;
};

// Damping of one matrix, or its share of the factored Tikhonov damping when there is a partner. Relative damping is in
// units of the mean diagonal element; never with a partner.
template <class T>
struct Damped {
  double damping;
  const T* partner;  // null for none
  int64_t partnerSize;
  bool partnerDiagonal;
  bool relative = false;
};

template <class T>
struct InverseJob {
  const T* matrix;
  int64_t size;
  Damped<T> damped;
  T* out;
  int64_t count = 1;         // of matrices, one after the other, and of results
  const T* start = nullptr;  // inverse of a matrix nearby, of one matrix; null for none

  // Matrix `i` as a job of its own.
  InverseJob at(int64_t i) const { return {matrix + i * size * size, size, damped, out + i * size * size, 1, start}; }
};

template <class T>
struct DiagonalInverseJob {
  const T* diagonal;
  int64_t size;
  Damped<T> damped;
  T* out;
};

enum class RootMethod : int32_t { automatic, denmanBeavers, eigen, newtonSchulzMinimax, newtonSchulz, coupledNewton, contour };

template <class T>
struct InverseRootJob {
  const T* matrix;
  int64_t size;
  Damped<T> damped;
  int32_t p;
  RootMethod method;
  double tolerance;
  int64_t maxIterations;
  T* out;
};

template <class T>
struct EighJob {
  const T* matrix;
  int64_t size;
  T* values;
  T* vectors;
};

enum class MatrixForm : int32_t { full, lower, diagonal };

template <class T>
struct KroneckerJob {
  const T* left;
  int64_t leftSize;
  MatrixForm leftForm;
  const T* right;
  int64_t rightSize;
  MatrixForm rightForm;
  const T* input;
  const T* inputLast;  // null when V is all in input
  T* out;
  T* outLast;
  bool leftTransposed = false;  // of a full left factor
  bool rightTransposed = false;
};

template <class T>
struct ScaleJob {
  const T* diagonal;
  const T* input;
  T* out;
  int64_t size;
};

template <class T>
struct UpdateJob {
  T* weights;
  const T* direction;
  T* velocity;  // null for none
  int64_t size;
  double momentum, step, shrink;
};

template <class T>
struct CombineTerm {
  const T* data;
  double scale;
};

template <class T>
struct CombineJob {
  std::vector<CombineTerm<T>> terms;
  T* out;
  int64_t size;
};

// In the order of their names in JavaScript: A, B, C, D, N, boulle.
enum class RationalVersion : int32_t { a, b, c, d, n, boulle };
constexpr int64_t rationalVersionCount = 6;

// How the elements of a tensor share the coefficients of a rational activation: it is [rows, groups, inner], and every
// group has coefficients of its own.
struct RationalLayout {
  RationalVersion version;
  int64_t rows, groups, inner;
  int64_t numeratorSize, denominatorSize;

  int64_t size() const { return numeratorSize + denominatorSize; }
};

template <class T>
struct RationalInput {
  const T* activation;
  const T* gradient;
  int64_t rows;
  const T* numerator;
  const T* denominator;
  const T* noise;  // null for none
};

template <class T>
struct RationalFactorJob {
  RationalLayout layout;  // `rows` are those of the inputs
  std::vector<RationalInput<T>> inputs;
  int64_t examples;
  double decay, scale;
  T* factors;
};

template <class T>
struct ProductJob {
  const T* left;
  const T* right;
  int64_t rows, inner, columns;
  bool transposeLeft, transposeRight;
  double scale, keep;
  T* out;
  int64_t count = 1;  // of products, the matrices of each after those of the one before
  T* outLast = nullptr;  // the last row of a single result lies apart

  // How many rows of a result lie together in `out`.
  int64_t together() const { return outLast == nullptr ? rows : rows - 1; }
};

enum class Elementwise : int32_t { multiply, divide };

template <class T>
struct ElementwiseJob {
  Elementwise how;
  const T* left;
  const T* right;
  double offset;
  T* out;  // may be left or right
  int64_t size;
};

template <class T>
struct DotJob {
  const T* left;
  const T* right;
  int64_t size;
};

template <class T>
struct ScoresJob {
  Rows<T> activation;
  const T* outputGradient;  // as many rows as the activation
  int64_t outputs;
  int64_t examples;  // divides the number of rows
  bool homogeneous;
  double scale, keep;
  T* out;
};

template <class T>
struct LowRankScoresJob {
  Rows<T> activation;
  const T* outputGradient;  // as many rows as the activation
  int64_t outputs;
  int64_t examples;  // divides the number of rows
  bool homogeneous;
  double scale;
  int64_t rank;  // at most the number of outputs, and of columns with the homogeneous one
  T* left;       // rank rows for each example, of as many columns
  T* right;      // rank rows for each example, of `outputs` columns
};

template <class T>
struct UnitFactorInput : Rows<T> {
  double scale;
  const T* gradients;  // as many rows, of one element for each unit
};

template <class T>
struct UnitFactorsJob {
  std::vector<UnitFactorInput<T>> inputs;
  bool homogeneous;
  double decay;
  T* factors;
  int64_t size;
  int64_t count;
};

template <class T>
using TypedJob = std::variant<FactorJob<T>, DiagonalFactorJob<T>, InverseJob<T>, DiagonalInverseJob<T>, InverseRootJob<T>,
                              EighJob<T>, KroneckerJob<T>, ScaleJob<T>, UpdateJob<T>, CombineJob<T>, ProductJob<T>,
                              ElementwiseJob<T>, DotJob<T>, ScoresJob<T>, LowRankScoresJob<T>, UnitFactorsJob<T>,
                              RationalFactorJob<T>>;
using Job = std::variant<TypedJob<float>, TypedJob<double>>;
using Phase = std::vector<Job>;
using Phases = std::vector<Phase>;
using Reports = std::vector<std::vector<Report>>;

struct Backend;

// Runs the phases one after the other, the jobs of each phase on up to `threads` threads (the caller's and threads - 1 of the
// pool's). Same bits whatever `threads` is. Never throws: what goes wrong is in the reports.
Reports run(const Backend& backend, const Phases& phases, int threads);

}  // namespace natgrad
