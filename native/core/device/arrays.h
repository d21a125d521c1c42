// The memory that a job names: every pointer with what it points to.
#pragma once

#include <cstdint>

#include "core/jobs.h"
#include "core/rows.h"

namespace natgrad {

// `update` covers what is read and written, what is written in part, and what may be left alone.
enum class Use : int32_t { read, write, update };

inline Use useOfSum(double keep) { return keep == 0 ? Use::write : Use::update; }

template <class T, class Visit>
void visitRows(Rows<T>& rows, const Visit& visit) {
  const ConvGeometry& g = rows.geometry;
  visit(rows.data, rows.patches ? g.batch * g.inHeight * g.inWidth * g.channels : rows.rows * rows.columns, Use::read);
}

template <class T, class Visit>
void visitPartner(Damped<T>& damped, const Visit& visit) {
  if (damped.partner == nullptr) return;
  visit(damped.partner, damped.partnerDiagonal ? damped.partnerSize : damped.partnerSize * damped.partnerSize,
        Use::read);
}

// Calls visit(pointer, elements, use) for every pointer of the job that is not null; `visit` may change the pointer.
template <class T, class Visit>
void visitArrays(FactorJob<T>& job, const Visit& visit) {
  for (FactorInput<T>& input : job.inputs) visitRows(input, visit);
  visit(job.factor, job.size * job.size, Use::update);
}

template <class T, class Visit>
void visitArrays(DiagonalFactorJob<T>& job, const Visit& visit) {
  for (DiagonalFactorInput<T>& input : job.inputs) {
    if (input.data != nullptr) visit(input.data, input.rows * job.size, Use::read);
    if (input.indices != nullptr) visit(input.indices, input.rows, Use::read);
  }
  visit(job.factor, job.size, Use::update);
}

template <class T, class Visit>
void visitArrays(InverseJob<T>& job, const Visit& visit) {
  visit(job.matrix, job.count * job.size * job.size, Use::read);
  visitPartner(job.damped, visit);
  if (job.start != nullptr) visit(job.start, job.size * job.size, Use::read);
  visit(job.out, job.count * job.size * job.size, Use::update);
}

template <class T, class Visit>
void visitArrays(DiagonalInverseJob<T>& job, const Visit& visit) {
  visit(job.diagonal, job.size, Use::read);
  visitPartner(job.damped, visit);
  visit(job.out, job.size, Use::update);
}

template <class T, class Visit>
void visitArrays(InverseRootJob<T>& job, const Visit& visit) {
  visit(job.matrix, job.size * job.size, Use::read);
  visitPartner(job.damped, visit);
  visit(job.out, job.size * job.size, Use::update);
}

template <class T, class Visit>
void visitArrays(EighJob<T>& job, const Visit& visit) {
  visit(job.matrix, job.size * job.size, Use::read);
  visit(job.values, job.size, Use::update);
  visit(job.vectors, job.size * job.size, Use::update);
}

template <class T, class Visit>
void visitArrays(KroneckerJob<T>& job, const Visit& visit) {
  const auto elements = [](MatrixForm form, int64_t size) { return form == MatrixForm::diagonal ? size : size * size; };
  const int64_t rows = job.inputLast == nullptr ? job.leftSize : job.leftSize - 1;
  const int64_t outRows = job.outLast == nullptr ? job.leftSize : job.leftSize - 1;
  visit(job.left, elements(job.leftForm, job.leftSize), Use::read);
  visit(job.right, elements(job.rightForm, job.rightSize), Use::read);
  visit(job.input, rows * job.rightSize, Use::read);
  if (job.inputLast != nullptr) visit(job.inputLast, job.rightSize, Use::read);
  visit(job.out, outRows * job.rightSize, Use::write);
  if (job.outLast != nullptr) visit(job.outLast, job.rightSize, Use::write);
}

template <class T, class Visit>
void visitArrays(ScaleJob<T>& job, const Visit& visit) {
  visit(job.diagonal, job.size, Use::read);
  visit(job.input, job.size, Use::read);
  visit(job.out, job.size, Use::write);
}

template <class T, class Visit>
void visitArrays(UpdateJob<T>& job, const Visit& visit) {
  visit(job.weights, job.size, Use::update);
  visit(job.direction, job.size, Use::read);
  if (job.velocity != nullptr) visit(job.velocity, job.size, Use::update);
}

template <class T, class Visit>
void visitArrays(CombineJob<T>& job, const Visit& visit) {
  for (CombineTerm<T>& term : job.terms) visit(term.data, job.size, Use::read);
  visit(job.out, job.size, Use::write);
}

template <class T, class Visit>
void visitArrays(ProductJob<T>& job, const Visit& visit) {
  visit(job.left, job.count * job.rows * job.inner, Use::read);
  visit(job.right, job.count * job.inner * job.columns, Use::read);
  visit(job.out, job.count * job.together() * job.columns, useOfSum(job.keep));
  if (job.outLast != nullptr) visit(job.outLast, job.columns, useOfSum(job.keep));
}

template <class T, class Visit>
void visitArrays(ElementwiseJob<T>& job, const Visit& visit) {
  visit(job.left, job.size, Use::read);
  visit(job.right, job.size, Use::read);
  visit(job.out, job.size, Use::write);
}

template <class T, class Visit>
void visitArrays(DotJob<T>& job, const Visit& visit) {
  visit(job.left, job.size, Use::read);
  visit(job.right, job.size, Use::read);
}

template <class T, class Visit>
void visitArrays(ScoresJob<T>& job, const Visit& visit) {
  const int64_t columns = columnCount(job.activation) + (job.homogeneous ? 1 : 0);
  visitRows(job.activation, visit);
  visit(job.outputGradient, rowCount(job.activation) * job.outputs, Use::read);
  visit(job.out, job.examples * columns * job.outputs, useOfSum(job.keep));
}

template <class T, class Visit>
void visitArrays(LowRankScoresJob<T>& job, const Visit& visit) {
  const int64_t columns = columnCount(job.activation) + (job.homogeneous ? 1 : 0);
  visitRows(job.activation, visit);
  visit(job.outputGradient, rowCount(job.activation) * job.outputs, Use::read);
  visit(job.left, job.examples * job.rank * columns, Use::write);
  visit(job.right, job.examples * job.rank * job.outputs, Use::write);
}

template <class T, class Visit>
void visitArrays(UnitFactorsJob<T>& job, const Visit& visit) {
  for (UnitFactorInput<T>& input : job.inputs) {
    visitRows(input, visit);
    visit(input.gradients, rowCount(input) * job.count, Use::read);
  }
  visit(job.factors, job.count * job.size * job.size, Use::update);
}

template <class T, class Visit>
void visitArrays(RationalFactorJob<T>& job, const Visit& visit) {
  const RationalLayout& layout = job.layout;
  for (RationalInput<T>& input : job.inputs) {
    const int64_t elements = input.rows * layout.groups * layout.inner;
    visit(input.activation, elements, Use::read);
    visit(input.gradient, elements, Use::read);
    visit(input.numerator, layout.groups * layout.numeratorSize, Use::read);
    visit(input.denominator, layout.groups * layout.denominatorSize, Use::read);
    if (input.noise != nullptr) visit(input.noise, layout.groups * layout.size(), Use::read);
  }
  visit(job.factors, layout.groups * layout.size() * layout.size(), Use::update);
}

// Calls visit(address, bytes, use) for every range of memory that a job of any kind uses.
template <class Visit>
void visitRanges(const Job& job, const Visit& visit) {
  const auto range = [&](auto*& pointer, int64_t elements, Use use) {
    if (elements > 0)
      visit(reinterpret_cast<uintptr_t>(pointer), elements * static_cast<int64_t>(sizeof *pointer), use);
  };
  std::visit([&](const auto& typed) { std::visit([&](auto copy) { visitArrays(copy, range); }, typed); }, job);
}

}  // namespace natgrad
