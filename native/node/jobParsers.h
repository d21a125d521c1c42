// How each kind of job is read from the fields of its object. An `op` of src/linalg/jobs.ts has the function of its
// name.
#pragma once

#include "core/jobs.h"
#include "node/fields.h"

namespace natgrad {

// Statistics of rows: parseStatistics.cc.
template <class T>
TypedJob<T> parseFactor(Fields& job);
template <class T>
TypedJob<T> parseUnitFactors(Fields& job);
template <class T>
TypedJob<T> parseDiagonalFactor(Fields& job);
template <class T>
TypedJob<T> parseScores(Fields& job);
template <class T>
TypedJob<T> parseLowRankScores(Fields& job);

// Inverses, roots and eigenvectors: parseInverses.cc.
template <class T>
TypedJob<T> parseInverse(Fields& job);
template <class T>
TypedJob<T> parseDiagonalInverse(Fields& job);
template <class T>
TypedJob<T> parseInverseRoot(Fields& job);
template <class T>
TypedJob<T> parseEigh(Fields& job);

// Products and passes over memory: parseProducts.cc.
template <class T>
TypedJob<T> parseKronecker(Fields& job);
template <class T>
TypedJob<T> parseProduct(Fields& job);
template <class T>
TypedJob<T> parseScale(Fields& job);
template <class T>
TypedJob<T> parseElementwise(Fields& job);
template <class T>
TypedJob<T> parseDot(Fields& job);
template <class T>
TypedJob<T> parseUpdate(Fields& job);
template <class T>
TypedJob<T> parseCombine(Fields& job);

// Rational activations: parseRational.cc.
template <class T>
TypedJob<T> parseRationalFactor(Fields& job);

}  // namespace natgrad
