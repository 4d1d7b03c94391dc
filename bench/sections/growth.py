"""A table that grows tenfold by steady inserts, under a steady stream of validates."""

import math
import time

import charts
import figures
import stats
import svg
from sections import section

TURNS_US = (500, 2000)


class Growth(section.Section):
    name = "growth"
    title = "Growth"
    full = {"keys": 1_000_000, "keys_final": 10_000_000, "connections": 50, "rate": 50_000,
            "insert_rate": 60_000, "batch": 50, "seconds": 10.0, "warmup": 0.5, "idle_seconds": 30,
            "timeline_ms": 500}
    quick = {"keys": 50_000, "keys_final": 200_000, "connections": 50, "rate": 50_000,
             "insert_rate": 40_000, "batch": 50, "seconds": 2.0, "warmup": 0.2, "idle_seconds": 2,
             "timeline_ms": 200}

    def measure(self, run, p):
        gen = section.closed_loop(run, p, depth=64, rate=p["rate"], spin=True, seconds=p["seconds"],
                                  warmup=p["warmup"], timeline=p["timeline_ms"],
                                  beside_rate=p["insert_rate"] / p["batch"], beside_batch=p["batch"])
        server = section.start_loaded(run, section.closed_loop(run, p), "tokend")
        started = time.time()
        data = {"windows": []}
        fresh = p["keys"]
        while server.stats()["tokens"] < p["keys_final"]:
            for kind in ("quiet", "busy"):
                beside = {"beside": "replace", "beside_first": 0, "beside_count": p["keys"]} \
                    if kind == "quiet" else {"beside": "insert", "beside_first": fresh}
                data["windows"].append(self._window(gen, server, kind, beside, started))
            # Past all that the window can have inserted, and what was under way when it ended.
            fresh += int(p["insert_rate"] * (p["seconds"] + p["warmup"]) * 1.2) + 100 * p["batch"]
            run.say(f"{server.stats()['tokens']:,} of {p['keys_final']:,} tokens")
        server.settle()
        time.sleep(p["idle_seconds"])
        data.update(tokens=server.stats()["tokens"], final_bytes=server.resident_bytes(),
                    peak_bytes=server.peak_resident_bytes())
        return data

    @staticmethod
    def _window(gen, server, kind, beside, started):
        before = server.stats()
        result = gen.run(server, **beside)
        after = server.stats()
        measured = result["validate"]
        return {"kind": kind, "started": time.time() - measured["seconds"] - started,
                "latency_us": measured["latency_us"], "per_second": measured["per_second"],
                "server_ns": measured["server_ns"], "timeline": measured["timeline"],
                "threads_ns": measured.get("server_threads_ns", {}), "seconds": measured["seconds"],
                "beside_per_second": result["beside"]["per_second"],
                "beside_latency_us": result["beside"]["latency_us"],
                "turns_above": [stats.turns_above(before, after, us) for us in TURNS_US],
                "turns_within": stats.turns_within(before, after), "tokens": after["tokens"],
                "usage_written": after["usage_flushed_total"] - before["usage_flushed_total"]}

    @staticmethod
    def _windows(data, kind):
        return [window for window in data["windows"] if window["kind"] == kind]

    def _p99(self, data, kind):
        return [window["latency_us"]["p99"] for window in self._windows(data, kind)]

    def bars(self, data, p):
        ratio = figures.middle(self._p99(data, "busy")) / figures.middle(self._p99(data, "quiet"))
        why = "the server does not tell its loops' turns"

        def turns(which, kind):
            counts = [window["turns_above"][which] for window in self._windows(data, kind)]
            return None if None in counts else sum(counts)

        def caused(which):
            growing, quiet = turns(which, "busy"), turns(which, "quiet")
            return None if growing is None or quiet is None else [max(0, growing - quiet)]
        return [
            figures.Bar("p99 of the growing windows ÷ of the quiet ones, medians", 1.5, [ratio]),
            figures.Bar("turns of the loop above 2 ms of CPU: so many more in growing windows", 0, caused(1),
                        digits=0, why=why),
            figures.Bar("turns of the loop above 0.5 ms of CPU in all growing windows", 0,
                        None if turns(0, "busy") is None else [turns(0, "busy")], digits=0, why=why),
            figures.Bar("peak ÷ final resident memory", 1.25, [data["peak_bytes"] / data["final_bytes"]])]

    def body(self, data, p, bars):
        rows = []
        for kind, title in (("quiet", "quiet: replaces"), ("busy", "growing: inserts")):
            windows = self._windows(data, kind)
            rows.append([
                title, figures.spread(self._p99(data, kind), 0),
                figures.number(max(window["latency_us"]["max"] for window in windows) / 1e3, 1),
                figures.spread([window["per_second"] / 1e3 for window in windows], 1),
                figures.spread([window["beside_per_second"] / 1e3 for window in windows], 1),
                *[self._turns(windows, which) for which in range(len(TURNS_US))],
                self._turns_within(windows),
                str(sum(window["usage_written"] > 0 for window in windows))])
        return f"""
From {p['keys']:,} to {data['tokens']:,} tokens by {p['insert_rate']:,} a second, in `insert_many` of
{p['batch']}, each on disk before its answer, beside {p['rate']:,} validates a second in an open loop.
Windows of {p['seconds']:g} s alternate: in the quiet ones as many tokens a second of the first {p['keys']:,} are replaced, so that the table
does not grow; there are {len(self._windows(data, 'busy'))} of each. {section.conditions(p)} The generator spins.

{bars}

![Growth](img/growth.svg)

{figures.table(["", "p99, µs (min – max)", "longest, ms", "thousand validates/s",
                "thousand tokens written/s", "turns > 0.5 ms", "turns > 2 ms", "no turn above",
                "windows with a write-behind of usage"], rows)}

Resident memory was {data['peak_bytes'] / 1e6:,.0f} MB at its peak and
{data['final_bytes'] / 1e6:,.0f} MB at rest in the end, {p['idle_seconds']} s after the last write. {self._writes_text(data, p)}
"""

    def _writes_text(self, data, p):
        slowest = min(window["beside_per_second"] for window in data["windows"]) / p["insert_rate"]
        return "The server kept up with all writes." if slowest > 0.97 else \
            (f"**The server did not keep up with the writes**: in the slowest window it took {slowest:.0%} "
             "of them.")

    @staticmethod
    def _turns_within(windows):
        bounds = [window["turns_within"] for window in windows]
        return "–" if None in bounds else f"{max(bounds) / 1000:g} ms"

    @staticmethod
    def _turns(windows, which):
        counts = [window["turns_above"][which] for window in windows]
        return "–" if None in counts else f"{sum(counts):,}"

    def pictures(self, data, p):
        latency = {"quiet": [], "busy": []}
        resident, bands = [], []
        for window in data["windows"]:
            start = window["started"]
            points = [(start + at, entry["p99"], entry["server_resident_bytes"]) for at, entry in
                      section.whole_intervals(window["timeline"], p["timeline_ms"])]
            latency[window["kind"]] += [(at, p99) for at, p99, _ in points]
            latency[window["kind"]].append((points[-1][0], None))  # the curve is broken here
            resident += [(at, size / 1e6) for at, _, size in points]
            if window["kind"] == "busy":
                bands.append((start, start + window["seconds"]))
        highest = max(y for points in latency.values() for _, y in points if y is not None)
        lowest = min(y for points in latency.values() for _, y in points if y is not None)
        end = max(at for at, _ in resident)
        return {"growth": charts.timelines(
            f"Growth from {svg.short(p['keys'])} to {svg.short(round(data['tokens'], -5) or data['tokens'])} "
            "tokens",
            f"{svg.short(p['rate'])} validates/s, open loop, beside {svg.short(p['insert_rate'])} tokens/s "
            "inserted (shaded) or replaced (between)",
            [(f"p99 latency of each {p['timeline_ms'] / 1000:g} s",
              svg.Log(10 ** math.floor(math.log10(lowest)), 10 ** math.ceil(math.log10(highest))),
              charts.microseconds,
              [("tokend", "growing", latency["busy"]), ("floor", "quiet", latency["quiet"])], 190),
             ("resident memory, MB", svg.Linear(0, max(y for _, y in resident) * 1.1), svg.short,
              [("tokend", f"{resident[-1][1]:,.0f} MB", resident)], 130)],
            svg.Linear(0, end, 8), "seconds", bands)}
