#!/usr/bin/env bash
# Checks and times the CUDA back end on this machine, without Node: bench/gpu/run.sh [--fake]
#
# Needs an NVIDIA driver, cuBLAS and cuSOLVER (of a CUDA installation, or of the pip packages that torch brings), cmake, g++ and
# OpenBLAS; with OPENBLAS=/path/to/libopenblas.so.0, a copy that is not installed. Python with torch is compared if there is one.
# Ends after eight minutes (LIMIT=480 seconds), whatever is left undone then: build, tests, checks, timing, sanitizers. Results are
# left in build/gpu: check.jsonl, timing.jsonl and report.md.
#
# With --fake, everything runs at tiny sizes on the test double of CUDA, to see whether these scripts work; the figures mean nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."

fake=false
[ "${1:-}" = --fake ] && fake=true
limit=${LIMIT:-480}
build=build/gpu
$fake && build=build/gpu-fake && limit=${LIMIT:-36000}
python=${PYTHON:-python3}
failed=0

say() { printf '\n== %s (%s s)\n' "$1" "$SECONDS"; }

# The command with at most so many seconds, of those that are left.
within() {
  local left=$((limit - SECONDS))
  $fake && set -- $((10 * $1)) "${@:2}"
  [ "$left" -lt "$1" ] && set -- "$left" "${@:2}"
  [ "$1" -ge 5 ] || { echo "NO TIME LEFT: ${*:2}" >&2; return 1; }
  timeout "$1" "${@:2}" || { echo "FAILED: ${*:2}" >&2; return 1; }
}

say "build"
mkdir -p build
gpu=ON
$fake && gpu=OFF
# The compiler of that machine may know warnings that ours does not.
cmake -S . -B $build -DNATGRAD_TESTS=ON -DNATGRAD_GPU=$gpu -DNATGRAD_GPU_BENCH=ON -DNATGRAD_WARNINGS_ARE_ERRORS=OFF \
  ${OPENBLAS:+-DNATGRAD_OPENBLAS="$OPENBLAS"} > $build.log
cmake --build $build --parallel "$(nproc)" >> $build.log 2>&1 || { tail -n 40 $build.log; exit 1; }
plugin=$PWD/$build/natgrad-cuda.so

# Libraries that pip has installed are where the loader does not look.
wheels=$($python - 2> /dev/null << 'FIND' || true
import glob, os, nvidia
print(":".join(sorted(path for root in nvidia.__path__ for path in glob.glob(os.path.join(root, "*", "lib")))))
FIND
)
libraries=${wheels:+$wheels:}${LD_LIBRARY_PATH:-}
$fake && libraries=$PWD/$build/fake-cuda
export LD_LIBRARY_PATH="$libraries"

say "tests of the CUDA back end, over the gallery"
for test in "$build"/cuda*Test; do
  within 90 "$test" || failed=1
done

sizes=300,576,1152,2304,4608
$fake && sizes=3,65
say "every operation against float64 at the sizes of networks"
within 120 $build/bench/gpu/gpuCheck "$plugin" $sizes | tee $build/check.jsonl || failed=1

say "timing"
flags=(--seconds 120)
$fake && flags=(--seconds 5 --quick --fake)
within 240 "$python" bench/gpu/compare.py --timing $build/bench/gpu/gpuTiming --plugin "$plugin" "${flags[@]}" > $build/timing.jsonl || failed=1
"$python" bench/gpu/table.py $build/timing.jsonl | tee $build/report.md || failed=1

# A kernel that reads or writes what it should not, or that relies on an order that nothing promises.
if command -v compute-sanitizer > /dev/null && ! $fake; then
  for tool in memcheck racecheck synccheck; do
    say "compute-sanitizer, $tool"
    within 60 compute-sanitizer --tool $tool --error-exitcode 1 $build/bench/gpu/gpuCheck "$plugin" 33,65 || failed=1
  done
fi

say "end"
exit $failed
