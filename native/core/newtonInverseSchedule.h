// How Newton's iteration for an inverse goes on from an earlier one: scalings that are known before it begins, and when
// its result counts.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace natgrad {

// The scalings mu of the steps X <- mu X (2 I - mu A X), after which a last one with mu = 1 leaves the inverse to the
// precision with this unit roundoff; from the traces of E = A X and of E E. Nothing if X is too far away.
std::optional<std::vector<double>> newtonScalings(int64_t n, double trace, double squareTrace, double unit);

// Whether X is an inverse after the last step, given |A X - I|_F before it, which that step squares: no more may be left
// than what rounding leaves in that norm of any inverse, sqrt(n) `unit` times the condition number.
bool newtonConverged(int64_t n, double distance, double unit, double condition);

}  // namespace natgrad
