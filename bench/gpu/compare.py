"""Times natgrad's CUDA back end against torch on the same device, in turn, and prints a line of JSON for each.

    python3 compare.py --timing build/gpu/bench/gpu/gpuTiming --plugin build/gpu/natgrad-cuda.so > results.jsonl
    python3 table.py results.jsonl

Every case is measured in rounds: each round measures every competitor once, the next begins with another one.
"""

import argparse
import json
import subprocess
import sys
import time

from floors import H200, floor

try:
    from torchPeer import TorchPeer
except ImportError:
    TorchPeer = None

# Sides of the Kronecker factors of networks, and how many of each there are.
RESNET_18 = [
    (147, 1), (64, 6), (576, 5), (128, 6), (1152, 4), (256, 6), (2304, 4), (512, 5), (4608, 3), (513, 1), (1000, 1),
]  # fmt: skip
TRANSFORMER_12 = [(769, 36), (3073, 12), (2304, 12), (768, 24), (3072, 12)]  # width 768, biases, one product for q, k, v

PRECISIONS = {
    "factor": ["fp32", "tf32"],
    "factorUpload": ["fp32", "tf32"],
    "inverse": ["fp32", "fp64"],
    "root2": ["fp32", "tf32", "fp64"],
    "root4": ["fp32", "tf32", "fp64"],
    "eigh": ["fp32", "fp64"],
    "precondition": ["fp32", "tf32"],
}


def cases(quick):
    """(operation, name, sizes)"""
    singles = [16, 64] if quick else [64, 128, 256, 512, 1024, 2048, 4096, 8192]
    networks = [("3 layers", [(9, 2), (33, 1)])] if quick else [("ResNet-18", RESNET_18), ("12-layer transformer", TRANSFORMER_12)]
    largest = {"root2": 4096, "root4": 4096, "eigh": 4096}
    stacked = {"inverse": 1024, "root2": 512, "root4": 512}
    for operation in PRECISIONS:
        for n in singles:
            if operation == "factorUpload" and n not in (16, 512, 2048):
                continue
            if n <= largest.get(operation, n):
                yield operation, f"n {n}", [(n, 1)]
        for n in singles:
            if n <= stacked.get(operation, 0):
                yield operation, f"16 of n {n}", [(n, 16)]
        if operation in ("factor", "inverse", "root2"):
            for name, sizes in networks:
                yield operation, name, sizes


class Natgrad:
    """A process of gpuTiming, for one precision."""

    def __init__(self, program, plugin, precision):
        self.process = subprocess.Popen(
            [program, plugin, precision], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        answer = self.process.stdout.readline().strip()
        if not answer or answer.startswith("error:"):
            raise RuntimeError(f"'{line}': {answer or 'the process ended'}")
        return answer

    def measure(self, operation, sizes, rows, seconds):
        text = ",".join(f"{n}*{count}" for n, count in sizes)
        elapsed, iterations = self.ask(f"{operation} {text} {rows} {seconds}").split()
        return float(elapsed), int(iterations)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def compare(operation, sizes, rows, natgrad, torch_peer, budget, burst):
    """Seconds per round by competitor, for about `budget` seconds and at least two rounds."""
    competitors = {}
    for precision in PRECISIONS[operation]:
        competitors[f"natgrad {precision}"] = (
            precision,
            lambda p=natgrad[precision]: p.measure(operation, sizes, rows, burst),
        )
    if torch_peer is not None:
        for variant, precision in torch_peer.variants(operation).items():
            competitors[f"torch {variant}"] = (
                precision,
                lambda v=variant: (torch_peer.measure(operation, v, sizes, rows, burst), 0),
            )
    results = {name: {"precision": precision, "rounds": []} for name, (precision, _) in competitors.items()}
    names = list(competitors)
    begin = time.perf_counter()
    turn = 0
    while turn < 2 or time.perf_counter() - begin < budget:
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            result = results[name]
            if "error" in result:
                continue
            try:
                seconds, iterations = competitors[name][1]()
            except RuntimeError as error:  # Among others: not enough memory.
                result["error"] = str(error)
                continue
            result["rounds"].append(seconds)
            if iterations:
                result["iterations"] = iterations
        turn += 1
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--timing", required=True, help="the program gpuTiming")
    parser.add_argument("--plugin", required=True, help="natgrad-cuda.so")
    parser.add_argument("--seconds", type=float, default=200, help="for the timing of all cases, without their preparation")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see whether it works")
    parser.add_argument("--fake", action="store_true", help="the test double: label the output as no measurement")
    parser.add_argument("--peaks", help="JSON object with the peaks of the device, as in floors.py")
    flags = parser.parse_args()
    peaks = json.loads(flags.peaks) if flags.peaks else H200
    rows = 64 if flags.quick else 4096
    natgrad = {p: Natgrad(flags.timing, flags.plugin, p) for p in ("fp32", "tf32", "fp64")}
    torch_peer = TorchPeer() if TorchPeer is not None else None
    try:
        about = {
            "device": natgrad["fp32"].ask("about"),
            "peer": torch_peer.about() if torch_peer is not None else None,
            "peaks": peaks,
            "measurement": not flags.fake,
        }
        print(json.dumps(about), flush=True)
        all_cases = list(cases(flags.quick))
        for operation, name, sizes in all_cases:
            budget = flags.seconds / len(all_cases)
            results = compare(operation, sizes, rows, natgrad, torch_peer, budget, burst=min(0.05, budget / 20))
            for competitor, result in results.items():
                result["floor"] = floor(operation, sizes, rows, result["precision"], peaks)
                print(json.dumps({"operation": operation, "case": name, "name": competitor, **result}), flush=True)
    finally:
        for process in natgrad.values():
            process.close()


if __name__ == "__main__":
    sys.exit(main())
