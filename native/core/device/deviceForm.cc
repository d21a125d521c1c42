#include "core/device/deviceForm.h"

namespace natgrad {

namespace {

template <class T>
bool onDevice(const FactorJob<T>& job, bool) {
  return job.size > 0;
}

template <class T>
bool onDevice(const DiagonalFactorJob<T>& job, bool kept) {
  for (const DiagonalFactorInput<T>& input : job.inputs) {
    if (input.data == nullptr) return false;
  }
  return kept && job.size > 0;
}

template <class T>
bool onDevice(const InverseJob<T>& job, bool) {
  return job.size > 0 && job.count > 0;
}

template <class T>
bool onDevice(const InverseRootJob<T>& job, bool) {
  switch (job.method) {
    case RootMethod::automatic:
    case RootMethod::eigen:
    case RootMethod::newtonSchulz:
    case RootMethod::newtonSchulzMinimax:
      return job.size > 0;
    default:
      return job.size > 0 && job.p == 1;
  }
}

template <class T>
bool onDevice(const EighJob<T>& job, bool) {
  return job.size > 0;
}

template <class T>
bool onDevice(const KroneckerJob<T>& job, bool) {
  return job.leftSize > 0 && job.rightSize > 0;
}

template <class T>
bool onDevice(const ProductJob<T>& job, bool) {
  return job.rows > 0 && job.columns > 0 && job.count > 0;
}

template <class T>
bool onDevice(const ScoresJob<T>&, bool) {
  return false;
}

template <class T>
bool onDevice(const LowRankScoresJob<T>&, bool) {
  return false;
}

template <class T>
bool onDevice(const UnitFactorsJob<T>&, bool) {
  return false;
}

template <class T>
bool onDevice(const RationalFactorJob<T>&, bool) {
  return false;
}

// A single pass.
template <class J>
bool onDevice(const J& job, bool kept) {
  return kept && job.size > 0;
}

}  // namespace

bool hasDeviceForm(const Job& job, bool usesKept) {
  return std::visit(
      [&](const auto& typed) { return std::visit([&](const auto& j) { return onDevice(j, usesKept); }, typed); }, job);
}

}  // namespace natgrad
