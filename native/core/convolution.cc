#include "core/convolution.h"

#include <algorithm>
#include <atomic>
#include <new>
#include <vector>

#include "core/backend.h"
#include "core/patches.h"
#include "core/scatter.h"
#include "core/threadPool.h"

namespace natgrad {
namespace {

// A panel of this many floats (256 KiB) stays in the second-level cache between being formed and being multiplied.
constexpr int64_t panelFloats = 65536;

// The batch is worked on in at most this many parts. They do not depend on the number of threads, and so neither do
// results.
constexpr int64_t mostParts = 8;

int64_t panelRows(const ConvGeometry& g) {
  return std::max<int64_t>(1, std::min(g.patches(), panelFloats / std::max<int64_t>(1, g.patchSize())));
}

// Room for one panel, kept by each thread from call to call.
float* panelOf(const ConvGeometry& g) {
  thread_local std::vector<float> panel;
  const size_t size = static_cast<size_t>(panelRows(g) * g.patchSize());
  if (panel.size() < size) panel.resize(size);
  return panel.data();
}

// Some images of a batch: their own geometry, and where they begin.
struct Part {
  ConvGeometry geometry;
  int64_t firstImage;

  int64_t firstPatch() const { return firstImage * geometry.outHeight * geometry.outWidth; }
  int64_t firstElement() const { return firstImage * geometry.inHeight * geometry.inWidth * geometry.channels; }
};

// Calls work(index, part) for every part of the batch, several at a time if there are threads.
template <class Work>
void inParts(const ConvGeometry& g, int64_t outChannels, int64_t parts, int threads, Work work) {
  std::atomic<bool> outOfMemory{false};
  std::vector<Task> tasks;
  for (int64_t i = 0; i < parts; ++i) {
    Part part{g, g.batch * i / parts};
    part.geometry.batch = g.batch * (i + 1) / parts - part.firstImage;
    const double cost = 2.0 * static_cast<double>(part.geometry.patches()) * static_cast<double>(g.patchSize()) *
                        static_cast<double>(outChannels);
    tasks.push_back({cost, [&outOfMemory, &work, part, i] {
                       try {
                         work(i, part);
                       } catch (const std::bad_alloc&) {
                         outOfMemory = true;
                       }
                     }});
  }
  runTasks(tasks, threads);
  if (outOfMemory) throw std::bad_alloc();
}

int64_t partsOf(const ConvGeometry& g) { return std::clamp<int64_t>(g.batch, 1, mostParts); }

// Calls visit(firstPatch, count, rows) with consecutive panels of the matrix of patches.
template <class Visit>
void forEachPanel(const ConvGeometry& g, const float* x, Visit visit) {
  if (patchesAreInput(g)) {
    visit(int64_t{0}, g.patches(), x);
    return;
  }
  const int64_t rows = panelRows(g), patchSize = g.patchSize();
  float* panel = panelOf(g);
  for (int64_t first = 0; first < g.patches(); first += rows) {
    const int64_t count = std::min(rows, g.patches() - first);
    formPatches(x, g, first, count, panel, patchSize);
    visit(first, count, static_cast<const float*>(panel));
  }
}

void addFilterGradient(const Backend& backend, const ConvGeometry& g, int64_t outChannels, const float* x,
                       const float* dy, float* dFilter) {
  forEachPanel(g, x, [&](int64_t first, int64_t count, const float* panel) {
    backend.f32.gemm(true, false, g.patchSize(), outChannels, count, 1.0f, panel, g.patchSize(),
                     dy + first * outChannels, outChannels, 1.0f, dFilter, outChannels);
  });
}

void inputGradient(const Backend& backend, const ConvGeometry& g, int64_t outChannels, const float* dy,
                      const float* filter, float* dx) {
  const int64_t patchSize = g.patchSize();
  const auto patchGradients = [&](int64_t first, int64_t count, float* out) {
    backend.f32.gemm(false, true, count, patchSize, outChannels, 1.0f, dy + first * outChannels, outChannels, filter,
                     outChannels, 0.0f, out, patchSize);
  };
  if (patchesAreInput(g)) {
    patchGradients(0, g.patches(), dx);
    return;
  }
  const int64_t rows = panelRows(g);
  float* panel = panelOf(g);
  std::fill(dx, dx + g.batch * g.inHeight * g.inWidth * g.channels, 0.0f);
  for (int64_t first = 0; first < g.patches(); first += rows) {
    const int64_t count = std::min(rows, g.patches() - first);
    patchGradients(first, count, panel);
    scatterPatches(g, first, count, panel, dx);
  }
}

}  // namespace

void convolution(const Backend& backend, int threads, const ConvGeometry& g, int64_t outChannels, const float* x,
                 const float* filter, const Epilogue& epilogue, float* y) {
  inParts(g, outChannels, partsOf(g), threads, [&](int64_t, const Part& part) {
    forEachPanel(part.geometry, x + part.firstElement(), [&](int64_t first, int64_t count, const float* panel) {
      const int64_t offset = (part.firstPatch() + first) * outChannels;
      backend.f32.gemm(false, false, count, outChannels, g.patchSize(), 1.0f, panel, g.patchSize(), filter, outChannels,
                       0.0f, y + offset, outChannels);
      applyEpilogue(epilogue, y + offset, offset, count * outChannels);
    });
  });
}

void convolutionFilterGradient(const Backend& backend, int threads, const ConvGeometry& g, int64_t outChannels,
                               const float* x, const float* dy, float* dFilter) {
  // Each part has a sum of its own, and the sums are added in order; large filters get fewer parts, for memory's sake.
  constexpr int64_t mostFloats = int64_t{1} << 22;
  const int64_t size = g.patchSize() * outChannels;
  const int64_t parts = std::min(partsOf(g), 1 + mostFloats / size);
  std::vector<float> others(static_cast<size_t>((parts - 1) * size));
  std::fill(dFilter, dFilter + size, 0.0f);
  inParts(g, outChannels, parts, threads, [&](int64_t index, const Part& part) {
    float* sum = index == 0 ? dFilter : others.data() + (index - 1) * size;
    addFilterGradient(backend, part.geometry, outChannels, x + part.firstElement(),
                      dy + part.firstPatch() * outChannels, sum);
  });
  for (int64_t part = 1; part < parts; ++part) {
    const float* sum = others.data() + (part - 1) * size;
    for (int64_t i = 0; i < size; ++i) dFilter[i] += sum[i];
  }
}

void convolutionInputGradient(const Backend& backend, int threads, const ConvGeometry& g, int64_t outChannels,
                              const float* dy, const float* filter, float* dx) {
  inParts(g, outChannels, partsOf(g), threads, [&](int64_t, const Part& part) {
    inputGradient(backend, part.geometry, outChannels, dy + part.firstPatch() * outChannels, filter,
                     dx + part.firstElement());
  });
}

}  // namespace natgrad
