// libcusolver.
#include <algorithm>
#include <type_traits>
#include <vector>

#include "arguments.h"
#include "functions.h"
#include "lapack.h"
#include "matrix.h"
#include "memory.h"
#include "state.h"
#include "stream.h"

namespace natgrad::fakeCuda {
namespace {

struct Handle {
  void* stream = nullptr;
};

Handle* find(void* handle) { return checkObject(handle, Kind::solverHandle) ? static_cast<Handle*>(handle) : nullptr; }

int enqueueSolver(const Handle& handle, std::function<void()> work) {
  return enqueue(handle.stream, std::move(work)) ? 0 : solverExecutionFailed;
}

void potrf(const char* triangle, int n, float* a, int ld, int* info) { spotrf_(triangle, &n, a, &ld, info); }
void potrf(const char* triangle, int n, double* a, int ld, int* info) { dpotrf_(triangle, &n, a, &ld, info); }
void potri(const char* triangle, int n, float* a, int ld, int* info) { spotri_(triangle, &n, a, &ld, info); }
void potri(const char* triangle, int n, double* a, int ld, int* info) { dpotri_(triangle, &n, a, &ld, info); }

const char* letterOf(int triangle) { return triangle == lowerTriangle ? "L" : "U"; }

// Elements of workspace that each function asks for: sizes of no special form, so that nobody can guess them.
int potrfWorkspace(int n) { return 33 * n + 7; }
int potriWorkspace(int n) { return 17 * n + 65; }
int syevdWorkspace(int n) { return 2 * n * n + 6 * n + 3; }

void checkMatrix(Arguments& arguments, int triangle, int n, const void* a, int lda, int64_t elementBytes) {
  arguments.option("uplo", triangle, {lowerTriangle, upperTriangle});
  arguments.size("n", n);
  arguments.output("A", {a, n, n, lda, elementBytes});
}

template <class T>
int workspaceOf(void* handle, int triangle, int n, const T* a, int lda, int* size, int needed) {
  if (find(handle) == nullptr) return solverNotInitialized;
  Arguments arguments;
  // The matrix need not be there yet: a null pointer will do.
  checkMatrix(arguments, triangle, a == nullptr ? 0 : n, a, lda, sizeof(T));
  arguments.size("n", n);
  if (!arguments.good()) return solverInvalidValue;
  *size = needed;
  return 0;
}

// Whether there is as much workspace as was asked for.
template <class T>
bool checkWorkspace(Arguments& arguments, T* workspace, int size, int needed) {
  arguments.array("the workspace", workspace, size, sizeof(T));
  if (size >= needed) return arguments.good();
  violation("the workspace has %d elements, needed are %d", size, needed);
  return false;
}

template <class T>
void spoil(T* workspace, int size) {
  std::memset(workspace, 0xff, static_cast<size_t>(size) * sizeof(T));
}

template <class T>
int factorize(void* handle, int triangle, int n, T* a, int lda, T* workspace, int size, int* info, bool inverting) {
  const Handle* const own = find(handle);
  if (own == nullptr) return solverNotInitialized;
  Arguments arguments;
  checkMatrix(arguments, triangle, n, a, lda, sizeof(T));
  arguments.array("devInfo", info, 1, sizeof(int));
  if (!checkWorkspace(arguments, workspace, size, inverting ? potriWorkspace(n) : potrfWorkspace(n)))
    return solverInvalidValue;
  return enqueueSolver(*own, [=] {
    spoil(workspace, size);
    *info = 0;
    if (n > 0) (inverting ? potri(letterOf(triangle), n, a, lda, info) : potrf(letterOf(triangle), n, a, lda, info));
  });
}

template <class T>
int potrfBatched(void* handle, int triangle, int n, T** matrices, int lda, int* info, int count) {
  const Handle* const own = find(handle);
  if (own == nullptr) return solverNotInitialized;
  Arguments arguments;
  arguments.option("uplo", triangle, {lowerTriangle, upperTriangle});
  arguments.size("n", n);
  arguments.size("the number of matrices", count);
  arguments.array("Aarray", matrices, count, sizeof(T*));
  arguments.array("infoArray", info, count, sizeof(int));
  if (!arguments.good()) return solverInvalidValue;
  return enqueueSolver(*own, [=] {
    for (int i = 0; i < count; ++i) {
      Arguments one;
      one.output("a matrix", {matrices[i], n, n, lda, sizeof(T)});
      info[i] = 0;
      if (one.good() && n > 0) potrf(letterOf(triangle), n, matrices[i], lda, &info[i]);
    }
  });
}

// In float64 for both precisions.
template <class T>
int syevd(void* handle, int vectors, int triangle, int n, T* a, int lda, T* values, T* workspace, int size, int* info) {
  const Handle* const own = find(handle);
  if (own == nullptr) return solverNotInitialized;
  Arguments arguments;
  arguments.option("jobz", vectors, {0, 1});
  checkMatrix(arguments, triangle, n, a, lda, sizeof(T));
  arguments.array("W", values, n, sizeof(T));
  arguments.array("devInfo", info, 1, sizeof(int));
  if (!checkWorkspace(arguments, workspace, size, syevdWorkspace(n))) return solverInvalidValue;
  return enqueueSolver(*own, [=] {
    spoil(workspace, size);
    *info = 0;
    if (n == 0) return;
    Packed matrix = Packed::triangle(n, triangle, true, false, a, lda, {});
    std::vector<double> w(static_cast<size_t>(n));
    const int doubles = 1 + 6 * n + 2 * n * n;
    const int integers = 3 + 5 * n;
    std::vector<double> doubleSpace(static_cast<size_t>(doubles));
    std::vector<int> integerSpace(static_cast<size_t>(integers));
    dsyevd_(vectors == 1 ? "V" : "N", letterOf(triangle), &n, matrix.data(), &n, w.data(), doubleSpace.data(), &doubles,
            integerSpace.data(), &integers, info);
    matrix.store(a, lda);
    std::transform(w.begin(), w.end(), values, [](double x) { return static_cast<T>(x); });
  });
}

}  // namespace
}  // namespace natgrad::fakeCuda

using namespace natgrad::fakeCuda;

int cusolverDnCreate(void** handle) {
  const Call call("cusolverDnCreate", Library::solver);
  if (call.fault() != 0) return call.fault();
  openblas_set_num_threads(1);
  *handle = makeForever<Handle>();
  addObject(*handle, Kind::solverHandle);
  return 0;
}

int cusolverDnDestroy(void* handle) {
  const Call call("cusolverDnDestroy", Library::solver);
  if (call.fault() == solverNotInitialized) return call.fault();
  if (!removeObject(handle, Kind::solverHandle)) return solverNotInitialized;
  finishAllStreams();
  return call.fault();
}

int cusolverDnSetStream(void* handle, void* stream) {
  const Call call("cusolverDnSetStream", Library::solver);
  if (call.fault() != 0) return call.fault();
  Handle* const own = find(handle);
  if (own == nullptr) return solverNotInitialized;
  if (!checkObject(stream, Kind::stream)) return solverInvalidValue;
  own->stream = stream;
  return 0;
}

// Major, minor and patch version, by the numbers 0, 1 and 2.
int cusolverGetProperty(int property, int* value) {
  const Call call("cusolverGetProperty", Library::solver, false);
  if (call.fault() != 0) return call.fault();
  Arguments arguments;
  arguments.option("the property", property, {0, 1, 2});
  if (!arguments.good()) return solverInvalidValue;
  *value = property == 0 ? FAKE_CUDA_SOLVER_MAJOR : 0;
  return 0;
}

#define FAKE_CUDA_DEFINE_SOLVER(P, T)                                                                               \
  int cusolverDn##P##potrf_bufferSize(void* handle, int triangle, int n, T* a, int lda, int* size) {                \
    const Call call("cusolverDn" #P "potrf_bufferSize", Library::solver);                                           \
    if (call.fault() != 0) return call.fault();                                                                     \
    return workspaceOf(handle, triangle, n, a, lda, size, potrfWorkspace(n));                                       \
  }                                                                                                                 \
  int cusolverDn##P##potri_bufferSize(void* handle, int triangle, int n, T* a, int lda, int* size) {                \
    const Call call("cusolverDn" #P "potri_bufferSize", Library::solver);                                           \
    if (call.fault() != 0) return call.fault();                                                                     \
    return workspaceOf(handle, triangle, n, a, lda, size, potriWorkspace(n));                                       \
  }                                                                                                                 \
  int cusolverDn##P##syevd_bufferSize(void* handle, int, int triangle, int n, const T* a, int lda, const T*,        \
                                      int* size) {                                                                  \
    const Call call("cusolverDn" #P "syevd_bufferSize", Library::solver);                                           \
    if (call.fault() != 0) return call.fault();                                                                     \
    return workspaceOf(handle, triangle, n, a, lda, size, syevdWorkspace(n));                                       \
  }                                                                                                                 \
  int cusolverDn##P##potrf(void* handle, int triangle, int n, T* a, int lda, T* workspace, int size, int* info) {   \
    const Call call("cusolverDn" #P "potrf", Library::solver);                                                      \
    if (call.fault() != 0) return call.fault();                                                                     \
    return factorize(handle, triangle, n, a, lda, workspace, size, info, false);                                    \
  }                                                                                                                 \
  int cusolverDn##P##potri(void* handle, int triangle, int n, T* a, int lda, T* workspace, int size, int* info) {   \
    const Call call("cusolverDn" #P "potri", Library::solver);                                                      \
    if (call.fault() != 0) return call.fault();                                                                     \
    return factorize(handle, triangle, n, a, lda, workspace, size, info, true);                                     \
  }                                                                                                                 \
  int cusolverDn##P##potrfBatched(void* handle, int triangle, int n, T** matrices, int lda, int* info, int count) { \
    const Call call("cusolverDn" #P "potrfBatched", Library::solver);                                               \
    if (call.fault() != 0) return call.fault();                                                                     \
    return potrfBatched(handle, triangle, n, matrices, lda, info, count);                                           \
  }                                                                                                                 \
  int cusolverDn##P##syevd(void* handle, int vectors, int triangle, int n, T* a, int lda, T* values, T* workspace,  \
                           int size, int* info) {                                                                   \
    const Call call("cusolverDn" #P "syevd", Library::solver);                                                      \
    if (call.fault() != 0) return call.fault();                                                                     \
    return syevd(handle, vectors, triangle, n, a, lda, values, workspace, size, info);                              \
  }
FAKE_CUDA_DEFINE_SOLVER(S, float)
FAKE_CUDA_DEFINE_SOLVER(D, double)
