"""Whether tokend has become slower: its CPU against the floor's, compared with stored ratios.

Usage: ./dev bench regression [--store]. Exit status 1 when slower. Not a test: it wants a quiet machine.
"""

import json
import os

import figures
import servers
from sections import section

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "regression.json")
DEPTHS = (16, 64)
TOLERANCE = 0.15
SIZES = {"keys": 1_000_000, "connections": 50}
ROUNDS, SECONDS = 7, 2.0


class _Run:
    def __init__(self, args, fleet):
        self.build_dir = args.build_dir
        self.fleet = fleet

    def say(self, text):
        print(f"regression: {text}", flush=True)


def _measure(run):
    gen = section.closed_loop(run, SIZES)
    floor = section.start_loaded(run, gen, "floor")
    tokend = section.start_loaded(run, gen, "tokend")
    ratios = {depth: [] for depth in DEPTHS}
    for number in range(1, ROUNDS + 1):
        for depth in DEPTHS:
            cpu = [gen.run(server, depth=depth, seconds=SECONDS)["validate"]["server_ns"]
                   for server in (floor, tokend)]
            ratios[depth].append(cpu[1] / cpu[0])
        run.say(f"round {number} of {ROUNDS} done")
    return ratios


def compare(ratios, stored):
    """[(line, whether it is too slow)]"""
    lines = []
    for depth, values in ratios.items():
        now, then = figures.middle(values), stored[str(depth)]
        change = now / then - 1
        is_slower = change > TOLERANCE
        lines.append((f"depth {depth}: {figures.spread(values, 2)} × the floor's CPU, stored "
                      f"{then:.2f}: {change:+.0%}" + (f", SLOWER by more than {TOLERANCE:.0%}" if is_slower else ""),
                      is_slower))
    return lines


def run(args, scratch):
    if not args.store and not os.path.exists(PATH):
        raise SystemExit("no ratios are stored; measure them with ./dev bench regression --store")
    try:
        with servers.Fleet(args.build_dir, scratch) as fleet:
            ratios = _measure(_Run(args, fleet))
    except servers.Failed as error:
        raise SystemExit(f"regression: {error}") from None
    if args.store:
        with open(PATH, "w", encoding="utf-8") as file:
            json.dump({str(depth): round(figures.middle(values), 3)
                       for depth, values in ratios.items()}, file, indent=1)
            file.write("\n")
        for depth, values in ratios.items():
            print(f"stored: depth {depth}: {figures.spread(values, 2)} × the floor's CPU")
        return 0
    with open(PATH, encoding="utf-8") as file:
        lines = compare(ratios, json.load(file))
    for line, _ in lines:
        print(line)
    if any(is_slower for _, is_slower in lines):
        print("tokend has become slower. If that is meant: ./dev bench regression --store")
        return 1
    return 0
