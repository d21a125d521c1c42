#include "node/parseJobs.h"

#include <utility>

#include "node/jobParsers.h"

namespace natgrad {

namespace {

// How a kind of job is read, and which of its arrays decides its dtype.
struct Kind {
  const char* decisive;
  TypedJob<float> (*parse32)(Fields&);
  TypedJob<double> (*parse64)(Fields&);
};

Job parseJob(Fields job) {
  static constexpr std::pair<const char*, Kind> kinds[] = {
      {"factor", {"factor", parseFactor<float>, parseFactor<double>}},
      {"diagonalFactor", {"factor", parseDiagonalFactor<float>, parseDiagonalFactor<double>}},
      {"inverse", {"matrix", parseInverse<float>, parseInverse<double>}},
      {"diagonalInverse", {"diagonal", parseDiagonalInverse<float>, parseDiagonalInverse<double>}},
      {"inverseRoot", {"matrix", parseInverseRoot<float>, parseInverseRoot<double>}},
      {"eigh", {"matrix", parseEigh<float>, parseEigh<double>}},
      {"kronecker", {"left", parseKronecker<float>, parseKronecker<double>}},
      {"scale", {"diagonal", parseScale<float>, parseScale<double>}},
      {"update", {"weights", parseUpdate<float>, parseUpdate<double>}},
      {"combine", {"out", parseCombine<float>, parseCombine<double>}},
      {"product", {"left", parseProduct<float>, parseProduct<double>}},
      {"elementwise", {"left", parseElementwise<float>, parseElementwise<double>}},
      {"dot", {"left", parseDot<float>, parseDot<double>}},
      {"scores", {"out", parseScores<float>, parseScores<double>}},
      {"lowRankScores", {"left", parseLowRankScores<float>, parseLowRankScores<double>}},
      {"unitFactors", {"factors", parseUnitFactors<float>, parseUnitFactors<double>}},
      {"rationalFactor", {"factors", parseRationalFactor<float>, parseRationalFactor<double>}}};
  const Kind kind = job.choice("op", kinds);
  if (job.isFloat64(kind.decisive)) return kind.parse64(job);
  return kind.parse32(job);
}

}  // namespace

Work parseWork(Napi::Env env, napi_value phases) {
  Work work;
  const uint32_t phaseCount = readLength(env, phases, [] { return std::string("phases"); });
  for (uint32_t p = 0; p < phaseCount; p++) {
    napi_value jobs = nullptr;
    check(env, napi_get_element(env, phases, p, &jobs));
    const uint32_t count = readLength(env, jobs, [p] { return "phases[" + std::to_string(p) + "]"; });
    std::vector<Access> accesses;
    Phase phase;
    for (uint32_t j = 0; j < count; j++) {
      napi_value job = nullptr;
      check(env, napi_get_element(env, jobs, j, &job));
      Place place;
      place.phase = p;
      place.job = j;
      phase.push_back(parseJob(Fields(env, job, place, accesses)));
    }
    checkOverlaps(env, accesses);
    work.phases.push_back(std::move(phase));
    work.accesses.insert(work.accesses.end(), accesses.begin(), accesses.end());
  }
  // A getter among the jobs may have detached a buffer after it was looked at; from here on no JavaScript runs.
  for (const Access& access : work.accesses) {
    bool detached = false;
    check(env, napi_is_detached_arraybuffer(env, access.buffer, &detached));
    if (detached) fail(env, errBuffer, "phases: an ArrayBuffer was detached while its job was read");
  }
  return work;
}

}  // namespace natgrad
