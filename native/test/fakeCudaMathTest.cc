// The answers of the fake cuBLAS and cuSOLVER, against loops in float64 written down from the definitions, and the
// checks of their arguments. Matrices are column-major.
#include <dlfcn.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "check.h"
#include "fakeCuda.h"
#include "fakeGpu.h"
#include "functions.h"

using namespace natgrad::fakeCuda;
using namespace natgrad::test;

namespace {

// A packed matrix, with op(A) for those that BLAS knows.
struct Dense {
  int rows, columns;
  std::vector<double> data;

  Dense(int r, int c) : rows(r), columns(c), data(static_cast<size_t>(r * c)) {}
  double& at(int i, int j) { return data[static_cast<size_t>(j * rows + i)]; }
  double at(int i, int j) const { return data[static_cast<size_t>(j * rows + i)]; }

  Dense op(int transpose) const {
    if (transpose == notTransposed) return *this;
    Dense t(columns, rows);
    for (int i = 0; i < rows; ++i) {
      for (int j = 0; j < columns; ++j) t.at(j, i) = at(i, j);
    }
    return t;
  }
};

Dense operator*(const Dense& a, const Dense& b) {
  Dense c(a.rows, b.columns);
  for (int i = 0; i < a.rows; ++i) {
    for (int j = 0; j < b.columns; ++j) {
      for (int k = 0; k < a.columns; ++k) c.at(i, j) += a.at(i, k) * b.at(k, j);
    }
  }
  return c;
}

bool inTriangle(int triangle, int i, int j) { return triangle == lowerTriangle ? i >= j : i <= j; }

// A matrix with gaps between its columns, as it lies in device memory.
template <class T>
struct Strided {
  int rows, columns, ld;
  std::vector<T> data;

  Strided(int r, int c, int gap, int seed)
      : rows(r), columns(c), ld(r + gap), data(numbers<T>(static_cast<size_t>(ld * c), seed)) {}
  T& at(int i, int j) { return data[static_cast<size_t>(j * ld + i)]; }
  T at(int i, int j) const { return data[static_cast<size_t>(j * ld + i)]; }

  Dense dense() const {
    Dense d(rows, columns);
    for (int i = 0; i < rows; ++i) {
      for (int j = 0; j < columns; ++j) d.at(i, j) = static_cast<double>(at(i, j));
    }
    return d;
  }
  // What the numbers of one triangle stand for; the others are made NaN, so that reading them shows.
  Dense triangular(int triangle, bool symmetric, bool unit) {
    Dense d = dense();
    for (int i = 0; i < rows; ++i) {
      for (int j = 0; j < rows; ++j) {
        if (i == j && unit) d.at(i, j) = 1;
        if (i == j || inTriangle(triangle, i, j)) continue;
        d.at(i, j) = symmetric ? static_cast<double>(at(j, i)) : 0;
      }
    }
    for (int i = 0; i < rows; ++i) {
      for (int j = 0; j < rows; ++j) {
        if ((i == j && unit) || !inTriangle(triangle, i, j)) at(i, j) = std::numeric_limits<T>::quiet_NaN();
      }
    }
    return d;
  }
};

template <class T>
constexpr double tolerance = 64 * static_cast<double>(std::numeric_limits<T>::epsilon());

// Whether `after` holds the expected numbers where `written` says so, and everywhere else the bits of `before`.
template <class T>
bool holds(const Strided<T>& before, const std::vector<T>& after, const Dense& expected,
           const std::function<bool(int, int)>& written) {
  for (int j = 0; j < before.columns; ++j) {
    for (int i = 0; i < before.ld; ++i) {
      const size_t p = static_cast<size_t>(j * before.ld + i);
      const bool same = after[p] == before.data[p] || (std::isnan(after[p]) && std::isnan(before.data[p]));
      if (i < before.rows && written(i, j)) {
        if (!(std::fabs(static_cast<double>(after[p]) - expected.at(i, j)) <=
              tolerance<T> * (1 + std::fabs(expected.at(i, j)))))
          return false;
      } else if (!same) {
        return false;
      }
    }
  }
  return true;
}
bool everywhere(int, int) { return true; }

// The functions of one precision.
template <class T>
struct Routines;
#define ROUTINES(P, T)                                                         \
  template <>                                                                  \
  struct Routines<T> {                                                         \
    static constexpr auto gemm = &cublas##P##gemm_v2;                          \
    static constexpr auto gemmStridedBatched = &cublas##P##gemmStridedBatched; \
    static constexpr auto syrk = &cublas##P##syrk_v2;                          \
    static constexpr auto symm = &cublas##P##symm_v2;                          \
    static constexpr auto trsm = &cublas##P##trsm_v2;                          \
    static constexpr auto trmm = &cublas##P##trmm_v2;                          \
    static constexpr auto trsmBatched = &cublas##P##trsmBatched;               \
    static constexpr auto potrf = &cusolverDn##P##potrf;                       \
    static constexpr auto potrfSize = &cusolverDn##P##potrf_bufferSize;        \
    static constexpr auto potri = &cusolverDn##P##potri;                       \
    static constexpr auto potriSize = &cusolverDn##P##potri_bufferSize;        \
    static constexpr auto potrfBatched = &cusolverDn##P##potrfBatched;         \
    static constexpr auto syevd = &cusolverDn##P##syevd;                       \
    static constexpr auto syevdSize = &cusolverDn##P##syevd_bufferSize;        \
  };
ROUTINES(S, float)
ROUTINES(D, double)

constexpr int transposes[] = {notTransposed, transposed};
constexpr int triangles[] = {lowerTriangle, upperTriangle};
constexpr int sides[] = {leftSide, rightSide};

template <class T>
void checkGemm(const Gpu& gpu) {
  const int m = 5, n = 4, k = 7;
  for (const int transposeA : transposes) {
    for (const int transposeB : transposes) {
      for (const T beta : {T(0), T(0.5)}) {
        const Strided<T> a(transposeA ? k : m, transposeA ? m : k, 2, 1);
        const Strided<T> b(transposeB ? n : k, transposeB ? k : n, 1, 2);
        Strided<T> c(m, n, 3, 3);
        Dense expected = a.dense().op(transposeA) * b.dense().op(transposeB);
        for (int i = 0; i < m; ++i) {
          for (int j = 0; j < n; ++j) {
            // With beta zero, what was there is not read.
            if (beta == 0) c.at(i, j) = std::numeric_limits<T>::quiet_NaN();
            expected.at(i, j) = 2 * expected.at(i, j) + (beta == 0 ? 0 : static_cast<double>(beta * c.at(i, j)));
          }
        }
        const OnDevice<T> deviceA(gpu, a.data), deviceB(gpu, b.data), deviceC(gpu, c.data);
        const T alpha = 2;
        CHECK(Routines<T>::gemm(gpu.blas, transposeA, transposeB, m, n, k, &alpha, deviceA.data(), a.ld, deviceB.data(),
                                b.ld, &beta, deviceC.data(), c.ld) == 0);
        CHECK(holds(c, deviceC.values(), expected, everywhere));
      }
    }
  }
}

template <class T>
void checkStack(const Gpu& gpu) {
  const int m = 3, n = 2, k = 4, count = 3;
  const std::vector<T> a = numbers<T>(static_cast<size_t>(m * k * count), 1),
                       b = numbers<T>(static_cast<size_t>(k * n), 2);
  const OnDevice<T> deviceA(gpu, a), deviceB(gpu, b), deviceC(gpu, static_cast<size_t>(m * n * count));
  const T one = 1, zero = 0;
  // One B for all.
  CHECK(Routines<T>::gemmStridedBatched(gpu.blas, 0, 0, m, n, k, &one, deviceA.data(), m, m * k, deviceB.data(), k, 0,
                                        &zero, deviceC.data(), m, m * n, count) == 0);
  const std::vector<T> c = deviceC.values();
  for (int matrix = 0; matrix < count; ++matrix) {
    for (int i = 0; i < m; ++i) {
      for (int j = 0; j < n; ++j) {
        double sum = 0;
        for (int l = 0; l < k; ++l) {
          sum += static_cast<double>(a[static_cast<size_t>(matrix * m * k + l * m + i)]) *
                 static_cast<double>(b[static_cast<size_t>(j * k + l)]);
        }
        CHECK(std::fabs(static_cast<double>(c[static_cast<size_t>(matrix * m * n + j * m + i)]) - sum) < tolerance<T>);
      }
    }
  }
}

template <class T>
void checkSymmetric(const Gpu& gpu) {
  const int n = 6, k = 4;
  const T alpha = 0.5, beta = 0.25;
  for (const int triangle : triangles) {
    const auto written = [&](int i, int j) { return inTriangle(triangle, i, j); };
    for (const int transpose : transposes) {
      const Strided<T> x(transpose ? k : n, transpose ? n : k, 1, 1);
      const Strided<T> c(n, n, 2, 2);
      Dense expected = x.dense().op(transpose) * x.dense().op(!transpose);
      for (int i = 0; i < n * n; ++i) {
        expected.at(i % n, i / n) = 0.5 * expected.at(i % n, i / n) + 0.25 * static_cast<double>(c.at(i % n, i / n));
      }
      const OnDevice<T> deviceX(gpu, x.data), deviceC(gpu, c.data);
      CHECK(Routines<T>::syrk(gpu.blas, triangle, transpose, n, k, &alpha, deviceX.data(), x.ld, &beta, deviceC.data(),
                              c.ld) == 0);
      CHECK(holds(c, deviceC.values(), expected, written));
    }
    for (const int side : sides) {
      const int m = 3, columns = 5;
      const int order = side == leftSide ? m : columns;
      Strided<T> a(order, order, 1, 3);
      const Dense symmetric = a.triangular(triangle, true, false);
      const Strided<T> b(m, columns, 0, 4), c(m, columns, 2, 5);
      Dense expected = side == leftSide ? symmetric * b.dense() : b.dense() * symmetric;
      for (int i = 0; i < m * columns; ++i) {
        expected.at(i % m, i / m) = 0.5 * expected.at(i % m, i / m) + 0.25 * static_cast<double>(c.at(i % m, i / m));
      }
      const OnDevice<T> deviceA(gpu, a.data), deviceB(gpu, b.data), deviceC(gpu, c.data);
      CHECK(Routines<T>::symm(gpu.blas, side, triangle, m, columns, &alpha, deviceA.data(), a.ld, deviceB.data(), b.ld,
                              &beta, deviceC.data(), c.ld) == 0);
      CHECK(holds(c, deviceC.values(), expected, everywhere));
    }
  }
}

// trmm multiplies; trsm of the product gives back what was multiplied.
template <class T>
void checkTriangular(const Gpu& gpu) {
  const int m = 4, n = 3;
  const T alpha = 2, half = 0.5;
  for (const int side : sides) {
    for (const int triangle : triangles) {
      for (const int transpose : transposes) {
        for (const int diagonal : {generalDiagonal, unitDiagonal}) {
          const int order = side == leftSide ? m : n;
          Strided<T> a(order, order, 1, 1);
          for (int i = 0; i < order; ++i) a.at(i, i) += 3;
          const Dense l = a.triangular(triangle, false, diagonal == unitDiagonal);
          const Strided<T> b(m, n, 1, 2), c(m, n, 2, 3);
          Dense expected = side == leftSide ? l.op(transpose) * b.dense() : b.dense() * l.op(transpose);
          for (double& x : expected.data) x *= 2;
          const OnDevice<T> deviceA(gpu, a.data), deviceB(gpu, b.data), deviceC(gpu, c.data);
          CHECK(Routines<T>::trmm(gpu.blas, side, triangle, transpose, diagonal, m, n, &alpha, deviceA.data(), a.ld,
                                  deviceB.data(), b.ld, deviceC.data(), c.ld) == 0);
          CHECK(holds(c, deviceC.values(), expected, everywhere));
          CHECK(Routines<T>::trsm(gpu.blas, side, triangle, transpose, diagonal, m, n, &half, deviceA.data(), a.ld,
                                  deviceC.data(), c.ld) == 0);
          CHECK(holds(c, deviceC.values(), b.dense(), everywhere));
        }
      }
    }
  }
}

// M M' + n I, symmetric and positive definite.
template <class T>
Dense definite(int n) {
  const Dense m = Strided<T>(n, n, 0, 7).dense();
  Dense a = m * m.op(transposed);
  for (int i = 0; i < n; ++i) a.at(i, i) += n;
  for (double& x : a.data) x = static_cast<double>(static_cast<T>(x));
  return a;
}

template <class T>
std::vector<T> rounded(const Dense& a) {
  std::vector<T> values;
  for (const double x : a.data) values.push_back(static_cast<T>(x));
  return values;
}

template <class T>
void checkCholesky(const Gpu& gpu) {
  const int n = 9;
  const Dense a = definite<T>(n);
  for (const int triangle : triangles) {
    const OnDevice<T> matrix(gpu, rounded<T>(a));
    const OnDevice<int> info(gpu, std::vector<int>{-1});
    int size = 0;
    CHECK(Routines<T>::potrfSize(gpu.solver, triangle, n, matrix.data(), n, &size) == 0);
    {
      const OnDevice<T> workspace(gpu, static_cast<size_t>(size));
      CHECK(Routines<T>::potrf(gpu.solver, triangle, n, matrix.data(), n, workspace.data(), size, info.data()) == 0);
      EXPECT_DEATH("the workspace has", [&] {
        Routines<T>::potrf(gpu.solver, triangle, n, matrix.data(), n, workspace.data(), size - 1, info.data());
      });
    }
    CHECK(info.values()[0] == 0);
    CHECK(Routines<T>::potriSize(gpu.solver, triangle, n, matrix.data(), n, &size) == 0);
    const OnDevice<T> workspace(gpu, static_cast<size_t>(size));
    CHECK(Routines<T>::potri(gpu.solver, triangle, n, matrix.data(), n, workspace.data(), size, info.data()) == 0);
    Dense inverse(n, n);
    const std::vector<T> values = matrix.values();
    for (int i = 0; i < n; ++i) {
      for (int j = 0; j < n; ++j) {
        const bool given = inTriangle(triangle, i, j);
        inverse.at(i, j) = static_cast<double>(values[static_cast<size_t>(given ? j * n + i : i * n + j)]);
      }
    }
    const Dense product = a * inverse;
    for (int i = 0; i < n * n; ++i) CHECK(std::fabs(product.at(i % n, i / n) - (i % n == i / n)) < 10 * tolerance<T>);
  }
}

// Solving with the factors of several matrices gives their inverses; one that is not positive definite is told by its
// info.
template <class T>
void checkBatches(const Gpu& gpu) {
  const int n = 5, count = 3;
  const Dense a = definite<T>(n);
  Dense indefinite = a;
  indefinite.at(2, 2) = -1;
  Dense identity(n, n);
  for (int i = 0; i < n; ++i) identity.at(i, i) = 1;
  const OnDevice<T> first(gpu, rounded<T>(a)), second(gpu, rounded<T>(indefinite)), third(gpu, rounded<T>(a));
  const OnDevice<T> x(gpu, rounded<T>(identity)), y(gpu, rounded<T>(identity));
  const OnDevice<T*> matrices(gpu, std::vector<T*>{first.data(), second.data(), third.data()});
  const OnDevice<int> info(gpu, static_cast<size_t>(count));
  CHECK(Routines<T>::potrfBatched(gpu.solver, lowerTriangle, n, matrices.data(), n, info.data(), count) == 0);
  // The third pivot is the first that is not positive.
  CHECK((info.values() == std::vector<int>{0, 3, 0}));
  const OnDevice<const T*> factors(gpu, std::vector<const T*>{first.data(), third.data()});
  const OnDevice<T*> solutions(gpu, std::vector<T*>{x.data(), y.data()});
  const T one = 1;
  for (const int transpose : transposes) {
    CHECK(Routines<T>::trsmBatched(gpu.blas, leftSide, lowerTriangle, transpose, generalDiagonal, n, n, &one,
                                   factors.data(), n, solutions.data(), n, 2) == 0);
  }
  for (const std::vector<T>& values : {x.values(), y.values()}) {
    Dense inverse(n, n);
    std::copy(values.begin(), values.end(), inverse.data.begin());
    const Dense product = a * inverse;
    for (int i = 0; i < n * n; ++i) CHECK(std::fabs(product.at(i % n, i / n) - (i % n == i / n)) < 10 * tolerance<T>);
  }
}

template <class T>
void checkEigen(const Gpu& gpu) {
  const int n = 8;
  const Dense a = definite<T>(n);
  const OnDevice<T> matrix(gpu, rounded<T>(a)), values(gpu, static_cast<size_t>(n));
  const OnDevice<int> info(gpu, size_t(1));
  int size = 0;
  CHECK(Routines<T>::syevdSize(gpu.solver, 1, lowerTriangle, n, matrix.data(), n, values.data(), &size) == 0);
  const OnDevice<T> workspace(gpu, static_cast<size_t>(size));
  CHECK(Routines<T>::syevd(gpu.solver, 1, lowerTriangle, n, matrix.data(), n, values.data(), workspace.data(), size,
                           info.data()) == 0);
  CHECK(info.values()[0] == 0);
  const std::vector<T> w = values.values();
  CHECK(std::is_sorted(w.begin(), w.end()));
  Dense v(n, n);
  const std::vector<T> vectors = matrix.values();
  std::copy(vectors.begin(), vectors.end(), v.data.begin());
  const Dense av = a * v;
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < n; ++j) {
      CHECK(std::fabs(av.at(i, j) - static_cast<double>(w[static_cast<size_t>(j)]) * v.at(i, j)) < 20 * tolerance<T>);
    }
  }
}

}  // namespace

TEST("products are those of the definition, for every option, and write nothing else") {
  const Gpu gpu;
  checkGemm<float>(gpu);
  checkGemm<double>(gpu);
  checkStack<float>(gpu);
  checkStack<double>(gpu);
  checkSymmetric<float>(gpu);
  checkSymmetric<double>(gpu);
}

TEST("solving with a triangle undoes multiplying by it, for every option") {
  const Gpu gpu;
  checkTriangular<float>(gpu);
  checkTriangular<double>(gpu);
}

TEST("Cholesky gives the inverse, singly and in batches, and says which matrix has none") {
  const Gpu gpu;
  checkCholesky<float>(gpu);
  checkCholesky<double>(gpu);
  checkBatches<float>(gpu);
  checkBatches<double>(gpu);
}

TEST("eigenvalues come in ascending order, with their vectors in the columns") {
  const Gpu gpu;
  checkEigen<float>(gpu);
  checkEigen<double>(gpu);
}

// 1 + 2^-11 lies halfway between 1 and the next number of ten bits, 1 + 2^-10; one more bit decides.
TEST("TF32 rounds what is multiplied to ten bits, nearest and to even") {
  const Gpu gpu;
  const float step = std::ldexp(1.0F, -10);
  const std::vector<float> inputs{1 + step / 2, 1 + step / 2 + step / 16, 1 + step + step / 2, -1 - step / 4};
  const std::vector<float> outputs{1, 1 + step, 1 + 2 * step, -1};
  const OnDevice<float> x(gpu, inputs), y(gpu, std::vector<float>{1}), out(gpu, size_t(4));
  const float one = 1, zero = 0;
  CHECK(cublasGemmEx(gpu.blas, 0, 0, 4, 1, 1, &one, x.data(), dataFloat32, 4, y.data(), dataFloat32, 1, &zero,
                     out.data(), dataFloat32, 4, computeTensorFloat32, -1) == 0);
  CHECK(out.values() == outputs);
  CHECK(cublasSetMathMode(gpu.blas, mathTensorFloat32) == 0);
  CHECK(cublasSgemm_v2(gpu.blas, 0, 0, 4, 1, 1, &one, x.data(), 4, y.data(), 1, &zero, out.data(), 4) == 0);
  CHECK(out.values() == outputs);
  CHECK(cublasSetMathMode(gpu.blas, mathDefault) == 0);
  CHECK(cublasSgemm_v2(gpu.blas, 0, 0, 4, 1, 1, &one, x.data(), 4, y.data(), 1, &zero, out.data(), 4) == 0);
  CHECK(out.values() == inputs);
  EXPECT_DEATH("do not go with compute type", [&] {
    cublasGemmEx(gpu.blas, 0, 0, 4, 1, 1, &one, x.data(), dataFloat32, 4, y.data(), dataFloat32, 1, &zero, out.data(),
                 dataFloat32, 4, computeFloat64, -1);
  });
}

TEST("arguments that cuBLAS would take for memory of somebody else are violations") {
  const Gpu gpu;
  const OnDevice<float> a(gpu, std::vector<float>(16, 1)), c(gpu, std::vector<float>(16, 1));
  const float one = 1, zero = 0;
  const auto gemm = [&](int n, const float* x, int ldx, const float* beta, float* out) {
    cublasSgemm_v2(gpu.blas, 0, 0, n, n, n, &one, x, ldx, x, ldx, beta, out, n);
  };
  EXPECT_DEATH("A: 100 bytes from byte 0 on of an allocation of 64", [&] { gemm(5, a.data(), 5, &zero, c.data()); });
  EXPECT_DEATH("the leading dimension of A is 3, its rows are 4", [&] { gemm(4, a.data(), 3, &zero, c.data()); });
  EXPECT_DEATH("A overlaps what is written", [&] { gemm(4, a.data(), 4, &zero, a.data()); });
  EXPECT_DEATH("beta is no address of the host", [&] { gemm(4, a.data(), 4, a.data(), c.data()); });
  EXPECT_DEATH("m is -1", [&] { gemm(-1, a.data(), 4, &zero, c.data()); });
  EXPECT_DEATH("uplo has no value 2",
               [&] { cublasSsyrk_v2(gpu.blas, 2, 0, 4, 4, &one, a.data(), 4, &zero, c.data(), 4); });
  EXPECT_DEATH("the matrices of C overlap", [&] {
    cublasSgemmStridedBatched(gpu.blas, 0, 0, 2, 2, 2, &one, a.data(), 2, 4, a.data(), 2, 4, &zero, c.data(), 2, 3, 2);
  });
  EXPECT_DEATH("the workspace is not aligned", [&] { cublasSetWorkspace_v2(gpu.blas, a.data() + 1, 16); });
  EXPECT_DEATH("a matrix: ", [&] {
    const OnDevice<float*> matrices(gpu, std::vector<float*>{a.data(), nullptr});
    const OnDevice<int> info(gpu, size_t(2));
    cusolverDnSpotrfBatched(gpu.solver, lowerTriangle, 4, matrices.data(), 4, info.data(), 2);
    gpu.wait();
  });
  // The four quarters of a matrix do not overlap, though they lie interleaved.
  CHECK(cublasSgemm_v2(gpu.blas, 0, 0, 2, 2, 2, &one, c.data(), 4, c.data() + 8, 4, &one, c.data() + 10, 4) == 0);
  CHECK(c.values()[10] == 3 && c.values()[8] == 1);
}

TEST("the workspace of a handle is used by each product, and given up with the stream") {
  const Gpu gpu;
  const OnDevice<float> a(gpu, std::vector<float>(1, 1)), c(gpu, size_t(1)), workspace(gpu, std::vector<float>(64, 1));
  const float one = 1, zero = 0;
  const auto multiply = [&] {
    cublasSgemm_v2(gpu.blas, 0, 0, 1, 1, 1, &one, a.data(), 1, a.data(), 1, &zero, c.data(), 1);
  };
  CHECK(cublasSetWorkspace_v2(gpu.blas, workspace.data(), 256) == 0);
  CHECK(cublasSetStream_v2(gpu.blas, gpu.stream) == 0);
  multiply();
  CHECK(workspace.values()[0] == 1);
  CHECK(cublasSetWorkspace_v2(gpu.blas, workspace.data(), 256) == 0);
  multiply();
  CHECK(std::isnan(workspace.values()[0]));
}

TEST("there are libraries of CUDA 11 and 12 as well, by their own names and with their own versions") {
  const Gpu gpu;
  Dl_info self;
  CHECK(dladdr(reinterpret_cast<void*>(&fakeCudaReset), &self) != 0);
  std::string folder = self.dli_fname;
  folder.resize(folder.rfind('/'));
  for (const int cuda : {11, 12}) {
    const std::string path = folder + "/cuda" + std::to_string(cuda) + "/";
    void* const blas = dlopen((path + "libcublas.so." + std::to_string(cuda)).c_str(), RTLD_NOW | RTLD_LOCAL);
    void* const solver = dlopen((path + "libcusolver.so.11").c_str(), RTLD_NOW | RTLD_LOCAL);
    CHECK(blas != nullptr && solver != nullptr);
    if (blas == nullptr || solver == nullptr) continue;
    int version = 0;
    CHECK(reinterpret_cast<decltype(&cublasGetVersion_v2)>(dlsym(blas, "cublasGetVersion_v2"))(gpu.blas, &version) ==
          0);
    CHECK(version / 10000 == cuda);
    CHECK(reinterpret_cast<decltype(&cusolverGetProperty)>(dlsym(solver, "cusolverGetProperty"))(0, &version) == 0);
    CHECK(version == 11);
  }
}

int main() { return runTests(); }
