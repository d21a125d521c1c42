"""Tables in Markdown from the output of compare.py: python3 table.py results.jsonl"""

import json
import statistics
import sys


def duration(seconds):
    for unit, scale in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def cell(result):
    """Median time, and how many times the floor it is."""
    if "error" in result:
        return result["error"]
    median = statistics.median(result["rounds"])
    return f"{duration(median)} ({median / result['floor']:.3g}×)"


def speed_up(ours, others):
    """How many times faster than the fastest of the others, round by round."""
    others = [other for other in others if "error" not in other]
    if "error" in ours or not others:
        return ""
    best = min(others, key=lambda other: statistics.median(other["rounds"]))
    ratios = sorted(theirs / own for own, theirs in zip(ours["rounds"], best["rounds"]))
    return f"{statistics.median(ratios):.2f} [{ratios[0]:.2f}, {ratios[-1]:.2f}]"


def main(path):
    with open(path, encoding="utf-8") as file:
        about, *results = [json.loads(line) for line in file if line.startswith("{")]
    if not about["measurement"]:
        print("**Not a measurement**: this ran on the test double of CUDA.\n")
    print(f"{about['device']}; {about['peer'] or 'no torch'}. Medians; in brackets, times the floor (floors.py).\n")
    for operation in dict.fromkeys(result["operation"] for result in results):
        own = [result for result in results if result["operation"] == operation]
        names = list(dict.fromkeys(result["name"] for result in own))
        rivals = {r["name"] for r in own if r["precision"] == "fp32" and not r["name"].startswith("natgrad")}
        print(f"### {operation}\n")
        print(f"| case | {' | '.join(names)} | times as fast as the best torch, fp32 |")
        print("| --- |" + " --- |" * (len(names) + 1))
        for case in dict.fromkeys(result["case"] for result in own):
            row = {result["name"]: result for result in own if result["case"] == case}
            ratio = speed_up(row["natgrad fp32"], [row[name] for name in rivals])
            print(f"| {case} | {' | '.join(cell(row[name]) for name in names)} | {ratio} |")
        print()


if __name__ == "__main__":
    main(sys.argv[1])
