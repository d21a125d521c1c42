#!/usr/bin/env bash
# Checks and times the CUDA back end on this machine, without Node: bench/gpu/run.sh [--fake]
#
# Needs an NVIDIA driver, cuBLAS and cuSOLVER (of a CUDA installation, or of the pip packages that torch brings), cmake, g++ and
# OpenBLAS; with OPENBLAS=/path/to/libopenblas.so.0, a copy that is not installed. Python with torch is compared if there is one.
# Takes under eight minutes on a data-centre card. Results are left in build/gpu: check.jsonl, timing.jsonl and report.md.
#
# With --fake, everything runs at tiny sizes on the test double of CUDA, to see whether these scripts work; the figures mean nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."

fake=false
[ "${1:-}" = --fake ] && fake=true
build=build/gpu
python=${PYTHON:-python3}
$fake && build=build/gpu-fake

say() { printf '\n== %s\n' "$1"; }

say "build"
gpu=ON
$fake && gpu=OFF
cmake -S . -B $build -DNATGRAD_TESTS=ON -DNATGRAD_GPU=$gpu -DNATGRAD_GPU_BENCH=ON ${OPENBLAS:+-DNATGRAD_OPENBLAS="$OPENBLAS"} > $build.log
cmake --build $build --parallel "$(nproc)" >> $build.log || { tail -n 40 $build.log; exit 1; }
plugin=$PWD/$build/natgrad-cuda.so

# Libraries that pip has installed are where the loader does not look.
wheels=$($python -c 'import glob, os, nvidia; print(":".join(sorted(p for r in nvidia.__path__ for p in glob.glob(os.path.join(r, "*", "lib")))))' \
  2> /dev/null || true)
libraries=${wheels:+$wheels:}${LD_LIBRARY_PATH:-}
$fake && libraries=$PWD/$build/fake-cuda
export LD_LIBRARY_PATH="$libraries"

failed=0
run() { "$@" || { echo "FAILED: $*"; failed=1; }; }

say "tests of the CUDA back end, over the gallery"
for test in $build/cuda*Test; do
  [ -x "$test" ] && run timeout 120 "$test"
done

sizes=300,576,1152,2304,4608
$fake && sizes=3,65
say "every operation against float64 at the sizes of networks"
timeout 150 $build/bench/gpu/gpuCheck "$plugin" $sizes | tee $build/check.jsonl || failed=1

# A kernel that reads or writes what it should not, or that relies on an order that nothing promises.
if command -v compute-sanitizer > /dev/null && ! $fake; then
  for tool in memcheck racecheck synccheck; do
    say "compute-sanitizer, $tool"
    run timeout 60 compute-sanitizer --tool $tool --error-exitcode 1 $build/bench/gpu/gpuCheck "$plugin" 33,65
  done
fi

say "timing"
flags="--seconds 150"
$fake && flags="--seconds 5 --quick --fake"
# shellcheck disable=SC2086
$python bench/gpu/compare.py --timing $build/bench/gpu/gpuTiming --plugin "$plugin" $flags > $build/timing.jsonl || failed=1
$python bench/gpu/table.py $build/timing.jsonl | tee $build/report.md || failed=1

exit $failed
