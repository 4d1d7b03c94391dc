#!/usr/bin/env python3
"""Many tokens, kill -9, restart: is everything there, how soon, and how big?

Usage: bench/restart.py BUILD_DIR [--tokens N] [ARG for crash-test ...]      (or: ./dev bench restart)
"""

import argparse
import json
import os
import subprocess
import sys

import report

# Of ten million tokens on two CPUs.
FIRST_ANSWER_MS_MAX = 1000
LOADED_PER_SECOND_MIN = 2_000_000


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build_dir")
    parser.add_argument("--tokens", type=int, default=10_000_000)
    parser.add_argument("--quick", action="store_true", help="200,000 tokens, nothing written to docs/")
    args, more = parser.parse_known_args()
    if args.quick:
        args.tokens = 200_000
    build_dir = os.path.abspath(args.build_dir)
    figures = []
    for cold in (False, True):
        figures_path = os.path.join(build_dir, "bench-restart.json")
        done = subprocess.run(
            [os.path.join(build_dir, "bin", "crash-test"), "--server",
             os.path.join(build_dir, "bin", "tokend"), "--dir", "bench-restart", "--tokens",
             str(args.tokens), "--kills", "1", "--alone", "--json", figures_path]
            + (["--cold"] if cold else []) + more,
            cwd=build_dir, stdin=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            return done.returncode
        with open(figures_path, encoding="utf-8") as file:
            figures.append(json.load(file))
    if args.quick:
        return 0
    warm, cold = figures

    def rate(f):
        return f["tokens"] / (f["loaded_ms"] - f["first_answer_ms"]) * 1000

    def judged(text, met):
        return f"{text}, {'met' if met else 'missed'}"

    rows = [
        ("tokens", "", lambda f: f"{f['tokens']:,}"),
        ("acknowledged before, tokens/s", "", lambda f: f"{f['acknowledged_per_second']:,.0f}"),
        ("start to first correct answer", f"{FIRST_ANSWER_MS_MAX:,} ms",
         lambda f: judged(f"{f['first_answer_ms']:,.0f} ms",
                          f["first_answer_ms"] <= FIRST_ANSWER_MS_MAX)),
        ("start to fully loaded", "", lambda f: f"{f['loaded_ms'] / 1000:,.2f} s"),
        ("loaded after the first answer, tokens/s", f"{LOADED_PER_SECOND_MIN:,}",
         lambda f: judged(f"{rate(f):,.0f}", rate(f) >= LOADED_PER_SECOND_MIN)),
        ("resident memory per token", "", lambda f: f"{f['bytes_per_token']:.1f} bytes"),
        ("resident memory in all", "", lambda f: f"{f['resident_bytes'] / 1e6:,.0f} MB"),
    ]
    table = "\n".join(f"| {name} | {bar} | {value(warm)} | {value(cold)} |"
                      for name, bar, value in rows)
    report.write_section("restart", f"""
## Restart after kill -9

`./dev bench restart --tokens {args.tokens}` on {report.machine()}.
Tokens of 43 bytes with owner, scopes and expiry go in by `insert_many`, some of them are revoked (by
token, id and owner), extended and replaced; the server is killed in the middle of it and started
again, once with its files in the system's cache and once with none of them. It is asked for one
token until it can say, and left alone until it is loaded; then all that it had acknowledged is asked
for, and was there.

| | bar | cached | not cached |
|---|--:|--:|--:|
{table}
""")
    return 0


if __name__ == "__main__":
    sys.exit(main())
