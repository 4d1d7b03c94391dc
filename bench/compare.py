#!/usr/bin/env python3
"""validate, measured against Redis, memcached and the floor in one run on this machine.

Usage: bench/compare.py BUILD_DIR [--quick] [--unix] ...      (or: ./dev bench ...)

All servers are up at once, each with one thread pinned to the first CPU; the generator has the
second. In a round every depth is run for each server in turn, so that whatever slows the machine
down slows all of them; the figures are medians over the rounds, the ratios medians of each round's.
Every answer is checked, and a wrong one fails the run.
"""

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import report

SERVERS = ("floor", "redis", "memcached", "tokend")
TITLES = {"floor": "floor (libuv, no work)", "redis": "redis-server", "memcached": "memcached (mg)",
          "tokend": "**tokend**"}
DEPTHS = (1, 16, 64)


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build_dir")
    parser.add_argument("--quick", action="store_true",
                        help="a look only: 1 round, 100,000 tokens, nothing written to docs/")
    parser.add_argument("--unix", action="store_true", help="over unix sockets instead of TCP")
    parser.add_argument("--keys", type=int)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--hit-ratio", type=float, default=1.0)
    parser.add_argument("--servers", default=",".join(SERVERS), help="which of them, with commas")
    args = parser.parse_args()
    args.keys = args.keys or (100_000 if args.quick else 1_000_000)
    args.rounds = args.rounds or (1 if args.quick else 5)
    args.seconds = args.seconds or (1.0 if args.quick else 3.0)
    args.servers = args.servers.split(",")
    if not set(args.servers) <= set(SERVERS):
        parser.error(f"--servers takes of {', '.join(SERVERS)}")
    return args


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def pinned(cpu, command):
    if os.cpu_count() < 2 or not shutil.which("taskset"):
        return command
    return ["taskset", "-c", str(cpu)] + command


class Server:
    """One server under test: started, waited for, and stopped at the end."""

    def __init__(self, name, args, scratch):
        self.name = name
        self.directory = os.path.join(scratch, name)
        os.mkdir(self.directory)
        if args.unix:
            path = os.path.join(self.directory, "socket")
            self.address = f"unix:{path}"
        else:
            path = None
            port = free_port()
            self.address = f"127.0.0.1:{port}"
        build_bin = os.path.join(args.build_dir, "bin")
        command = {
            "floor": lambda: [os.path.join(build_bin, "floor-server"),
                              self.address if path else str(port)],
            "redis": lambda: ["redis-server", "--save", "", "--appendonly", "no", "--dir",
                              self.directory] +
                             (["--port", "0", "--unixsocket", path] if path else
                              ["--bind", "127.0.0.1", "--port", str(port)]),
            "memcached": lambda: ["memcached", "-t", "1", "-m", "16384", "-c", "1024"] +
                                 (["-s", path] if path else
                                  ["-l", "127.0.0.1", "-p", str(port), "-U", "0"]) +
                                 (["-u", "root"] if os.geteuid() == 0 else []),
            "tokend": lambda: [os.path.join(build_bin, "tokend"), "--threads", "1", "--http", "off",
                               "--data-dir", os.path.join(self.directory, "data")] +
                              (["--listen", "off", "--unix", path] if path else
                               ["--listen", self.address, "--unix", "off"]),
        }[name]()
        self.log = os.path.join(self.directory, "log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(pinned(0, command), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        self.pid = self.process.pid  # taskset becomes the server
        self._wait(path)
        self.empty_bytes = self.resident_bytes()

    def _wait(self, path):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                if path:
                    with socket.socket(socket.AF_UNIX) as sock:
                        sock.connect(path)
                else:
                    socket.create_connection(("127.0.0.1", int(self.address.split(":")[1]))).close()
                return
            except OSError:
                time.sleep(0.02)
        with open(self.log, encoding="utf-8", errors="replace") as log:
            raise SystemExit(f"{self.name} did not start:\n{log.read()}")

    def resident_bytes(self):
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        # A sanitizer says by the exit status what it found; a peer may end by the signal.
        if self.name == "tokend" and self.process.returncode != 0:
            with open(self.log, encoding="utf-8", errors="replace") as log:
                raise SystemExit(f"tokend ended with status {self.process.returncode}:\n{log.read()}")


def generate(args, server, *more):
    command = pinned(1, [os.path.join(args.build_dir, "bin", "tokend-bench"), "--json",
                         "--protocol", server.name, "--address", server.address,
                         "--server-pid", str(server.pid), "--keys", str(args.keys),
                         "--connections", str(args.connections),
                         "--hit-ratio", str(args.hit_ratio),
                         "--expires-base", str(args.expires_base)] + list(more))
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        raise SystemExit(f"{server.name} failed: {' '.join(command)}\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def measure(args, servers):
    """{(server, depth): [one result a round]}"""
    results = {(server.name, depth): [] for server in servers for depth in DEPTHS}
    for number in range(1, args.rounds + 1):
        for depth in DEPTHS:
            for server in servers:
                run = generate(args, server, "--depth", str(depth), "--seconds", str(args.seconds),
                               "--seed", "1")["validate"]
                results[server.name, depth].append(run)
        print(f"round {number} of {args.rounds} done", flush=True)
    return results


def middle(runs, read):
    return statistics.median(read(run) for run in runs)


def ratio(results, name, other, depth):
    """How many times the CPU time of `name` that of `other` is; the median of each round's."""
    pairs = zip(results.get((name, depth), []), results.get((other, depth), []))
    ratios = [a["server_ns"] / b["server_ns"] for a, b in pairs if b["server_ns"] > 0]
    return f"{statistics.median(ratios):.2f}" if ratios else "–"


def figures_table(results, names):
    lines = ["| server | depth | server CPU ns per validate (min – max) | validates/s, median / best "
             "| p50 / p99 / p99.9 µs | redis's CPU ÷ its own | its own ÷ floor's |",
             "|---|--:|--:|--:|--:|--:|--:|"]
    for depth in DEPTHS:
        for name in names:
            runs = results[name, depth]
            cpu = [run["server_ns"] for run in runs]
            latency = " / ".join(
                f"{middle(runs, lambda run, p=p: run['latency_us'][p]):.0f}"
                for p in ("p50", "p99", "p999"))
            lines.append(
                f"| {TITLES[name]} | {depth} "
                f"| {statistics.median(cpu):.0f} ({min(cpu):.0f} – {max(cpu):.0f}) "
                f"| {middle(runs, lambda run: run['per_second']) / 1e3:.0f}k / "
                f"{max(run['per_second'] for run in runs) / 1e3:.0f}k "
                f"| {latency} | {ratio(results, 'redis', name, depth)} "
                f"| {ratio(results, name, 'floor', depth)} |")
    return "\n".join(lines)


def load_table(loads, servers, keys):
    lines = ["| server | stored/s | server CPU ns per token | resident bytes per token |",
             "|---|--:|--:|--:|"]
    for server in servers:
        if server.name not in loads:
            continue
        load, resident = loads[server.name]
        lines.append(f"| {TITLES[server.name]} | {load['per_second'] / 1e3:.0f}k "
                     f"| {load['server_ns']:.0f} "
                     f"| {(resident - server.empty_bytes) / keys:.0f} |")
    return "\n".join(lines)


def main():
    args = parse_args()
    args.build_dir = os.path.abspath(args.build_dir)
    args.expires_base = int(time.time() * 1000)
    servers, loads = [], {}
    # In the build directory: a disk, where /tmp may be memory.
    with tempfile.TemporaryDirectory(prefix="bench-", dir=args.build_dir) as scratch:
        try:
            for name in args.servers:
                server = Server(name, args, scratch)
                servers.append(server)
                if name != "floor":
                    run = generate(args, server, "--load", "--seconds", "0", "--seed", "1")
                    loads[name] = run["load"], server.resident_bytes()
                print(f"{name} is up", flush=True)
            results = measure(args, servers)
        finally:
            for server in servers:
                server.stop()

    figures = figures_table(results, args.servers)
    load = load_table(loads, servers, args.keys)
    print(f"\n{figures}\n\n{load}\n")
    with open(os.path.join(args.build_dir, "bench-validate.json"), "w", encoding="utf-8") as file:
        json.dump({f"{name} {depth}": runs for (name, depth), runs in results.items()}, file, indent=1)
    if args.quick or args.servers != list(SERVERS):
        return
    generator = max(middle(results["floor", depth], lambda run: run["generator_ns"])
                    for depth in DEPTHS if depth >= 16)
    transport = "unix sockets" if args.unix else "TCP over loopback"
    command = "./dev bench" + (" --unix" if args.unix else "")
    report.write_section("validate-unix" if args.unix else "validate", f"""
## validate against its peers, {'unix sockets' if args.unix else 'TCP'}

`{command}` on {report.machine()}.
redis-server {report.package_version("redis-server")} (`--save '' --appendonly no`), memcached
{report.package_version("memcached")} (`-t 1 -m 16384 -c 1024`), both Debian's packages; tokend with
`--threads 1`, durable as it always is.

{transport}, {args.connections} connections, closed loop, {args.keys:,} tokens of 43 bytes, uniformly
random, {args.hit_ratio:.0%} of them stored; the peers keep 64 bytes for each. Server on CPU 0, generator on CPU 1.
{args.rounds} rounds of {args.seconds:g} s for each server and depth; every answer was checked. The
generator itself takes at most {generator:.0f} ns an answer from depth 16 on.

{figures}

Storing the tokens (tokend: `insert_many`, fsync before each answer; the peers: in memory only):

{load}
""")


if __name__ == "__main__":
    sys.exit(main())
