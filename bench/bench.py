#!/usr/bin/env python3
"""Compares tokend with Redis, memcached and a bare libuv server on this machine.

Usage: bench/bench.py BUILD_DIR [SECTION ...] [--quick] [--render] ...      (or: ./dev bench ...)

Without a SECTION all are measured, one after the other. Each writes its section of
docs/performance.md and its pictures into docs/img, and keeps what it measured in
BUILD_DIR/bench/SECTION.json: --render writes the page from that without measuring again.
"""

import argparse
import contextlib
import datetime
import fcntl
import json
import os
import shutil
import signal
import sys
import time

import figures
import generator
import regression
import report
import servers
import stats
from sections import (backup, gateway, growth, import_dump, insert, latency, loops, many, mix, scale, storm, tls, usage, validate)

SECTIONS = {section.name: section for section in (
    validate.Validate(), validate.Unix(), many.Many(), scale.Scale(), usage.Usage(), mix.Mix(),
    insert.Insert(), storm.Storm(), growth.Growth(), backup.Backup(), import_dump.ImportDump(), gateway.Gateway(), tls.Tls(), latency.Latency(), loops.Loops())}


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n", maxsplit=1)[0],
        usage="./dev bench [SECTION ...] [--quick | --render] [--servers NAMES] [--set NAME=VALUE ...]\n"
              "       ./dev bench regression [--store]",
        epilog="SECTION is one or more of: " + ", ".join(SECTIONS) +
               ". ./dev bench restart and ./dev bench micro have options of their own.")
    parser.add_argument("build_dir", help=argparse.SUPPRESS)
    parser.add_argument("sections", nargs="*", metavar="SECTION")
    parser.add_argument("--quick", action="store_true",
                        help="a look at everything in five minutes; nothing is written to docs/")
    parser.add_argument("--render", action="store_true",
                        help="write docs/ from what was measured last, without measuring")
    parser.add_argument("--servers", default=",".join(servers.PROTOCOLS), metavar="NAMES",
                        help="only these of %(default)s; nothing is written to docs/")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE",
                        help="another size, such as rounds=1; nothing is written to docs/")
    parser.add_argument("--store", action="store_true",
                        help="with regression: keep this run's ratios as those to compare with")
    parser.add_argument("--out", metavar="DIR", help="where results go (BUILD_DIR/bench)")
    args = parser.parse_intermixed_args()
    unknown = set(args.sections) - set(SECTIONS) - {"regression"}
    if unknown:
        parser.error(f"there is no section {', '.join(sorted(unknown))}; there are "
                     f"{', '.join(SECTIONS)}")
    if args.store and args.sections != ["regression"]:
        parser.error("--store goes with regression")
    args.sections = args.sections or list(SECTIONS)
    args.servers = args.servers.split(",")
    if not set(args.servers) <= set(servers.PROTOCOLS):
        parser.error(f"--servers takes of {', '.join(servers.PROTOCOLS)}")
    args.is_trial = bool(args.quick or args.set or args.servers != list(servers.PROTOCOLS))
    if "regression" in args.sections and (len(args.sections) > 1 or args.is_trial or args.render):
        parser.error("regression goes alone, or with --store")
    if args.render and args.is_trial:
        parser.error("--render goes with no other option")
    args.build_dir = os.path.abspath(args.build_dir)
    args.out = os.path.abspath(args.out or os.path.join(args.build_dir, "bench"))
    return args


class Run:
    """What a section measures with."""

    def __init__(self, args, fleet, name):
        self.build_dir = args.build_dir
        self.servers = args.servers
        self.fleet = fleet
        self._name = name

    def wanted(self, *names):
        """Those of the names that --servers has, in this order."""
        return [name for name in names if name in self.servers]

    def has_option(self, option):
        return generator.has_option(self.build_dir, option)

    def say(self, text):
        print(f"{self._name}: {text}", flush=True)


def sizes(section, args):
    p = dict(section.quick if args.quick else section.full)
    for setting in args.set:
        name, _, value = setting.partition("=")
        if name not in p:
            continue  # of another section: main() has seen to it that one has it
        try:
            p[name] = type(p[name])(json.loads(value))
        except (ValueError, TypeError) as error:
            raise SystemExit(f"--set {setting}: {name} is like {json.dumps(p[name])}") from error
    return p


def check_settings(args):
    known = set().union(*(SECTIONS[name].full for name in args.sections))
    for setting in args.set:
        if setting.partition("=")[0] not in known:
            raise SystemExit(f"--set {setting}: there are {', '.join(sorted(known))}")


@contextlib.contextmanager
def scratch_directory(out):
    """A place for the servers' data on the disk of the build (/tmp may be memory), gone at the end.
    What a killed run left is removed; a second run beside this one is refused."""
    os.makedirs(out, exist_ok=True)
    path = os.path.join(out, "scratch")
    with open(os.path.join(out, "lock"), "w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(f"another benchmark is running with {out}; wait for it, or give --out") \
                from None
        shutil.rmtree(path, ignore_errors=True)
        os.mkdir(path)
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)


def measure(section, args, scratch):
    p = sizes(section, args)
    with servers.Fleet(args.build_dir, scratch) as fleet:
        data = section.measure(Run(args, fleet, section.name), p)
    return {"section": section.name, "machine": report.machine(), "sizes": p,
            "versions": {name: servers.version(name) for name in ("redis", "memcached")
                         if name in fleet.names},
            "date": datetime.date.today().isoformat(), "data": data}


def write(section, record, args):
    """The section's Markdown and pictures: into docs/, or to the terminal and beside the results."""
    data, p = record["data"], record["sizes"]
    bars = section.bars(data, p)
    bars_text = figures.bars_table(bars) + "\n\n" + figures.bars_sentence(bars) if bars else ""
    text = (f"## {section.title}\n{section.body(data, p, bars_text)}\n"
            f"`./dev bench {section.name}`, {record['date']}, on {record['machine']}" +
            "".join(f"; {servers.TITLES[name]} {version}"
                    for name, version in record["versions"].items()) + ".")
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    for name, svg in section.pictures(data, p).items():
        report.write_picture(name, svg, os.path.join(args.out, "trial") if args.is_trial else
                             report.PICTURES)
    if args.is_trial:
        print(f"\nA trial, of which nothing is kept in docs/: its sizes are not those that count.\n\n"
              f"{text}\n", flush=True)
    else:
        report.write_section(section.name, text)


def record_path(section, args):
    return os.path.join(args.out, "trial" if args.is_trial else "", section.name + ".json")


def run_section(section, args, scratch):
    path = record_path(section, args)
    if args.render:
        if not os.path.exists(path):
            print(f"{section.name}: not measured yet, left as it is")
            return
        with open(path, encoding="utf-8") as file:
            record = json.load(file)
    else:
        started = time.monotonic()
        # Through JSON, so that what is written now is what --render would write.
        record = json.loads(json.dumps(measure(section, args, scratch)))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(record, file)
        print(f"{section.name}: measured in {time.monotonic() - started:.0f} s", flush=True)
    write(section, record, args)


def main():
    args = parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # An exception: what is started is stopped on its way out.
        signal.signal(number, lambda number, _: sys.exit(f"stopped by {signal.Signals(number).name}"))
    failed = []
    with scratch_directory(args.out) as scratch:
        if args.sections == ["regression"]:
            return regression.run(args, scratch)
        check_settings(args)
        for name in args.sections:
            try:
                run_section(SECTIONS[name], args, scratch)
            except (servers.Failed, stats.Broken, OSError) as error:
                print(f"{name}: FAILED: {error}", file=sys.stderr, flush=True)
                failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}; the other sections are as they should be", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
