"""What usage tracking (last use and use count of each token) costs, its write-behind included."""

import time

import figures
import servers
import stats
from sections import section

STABLE_SECONDS = 1.5  # a write-behind is over when its counter stood still for so long


class Usage(section.Section):
    name = "usage"
    title = "Usage tracking"
    full = {"keys": 1_000_000, "connections": 50, "depth": 64, "rounds": 5, "interval_ms": 60_000,
            "write_behinds": 2}
    quick = {"keys": 50_000, "connections": 50, "depth": 64, "rounds": 1, "interval_ms": 5_000,
             "write_behinds": 2}

    def measure(self, run, p):
        gen = section.closed_loop(run, p, depth=p["depth"], warmup=0)
        on = section.start_loaded(run, gen, "tokend",
                                  flags=["--usage-flush-interval-ms", str(p["interval_ms"])])
        off = section.start_loaded(run, gen, "tokend", flags=["--usage-flush-interval-ms", "0"])
        interval = p["interval_ms"] / 1000
        data = {"on": [], "off": []}
        for number in range(1, p["rounds"] + 1):
            # From the end of one write-behind until shortly before the one that ends the window.
            last = self._wait_for_boundary(on, gen, interval)
            seconds = interval * p["write_behinds"] - (time.monotonic() - last) - min(2, interval / 5)
            for name, server in (("on", on), ("off", off)):
                data[name].append(self._window(gen, server, seconds, name == "on", interval))
            run.say(f"round {number} of {p['rounds']} done")
        return data

    def _wait_for_boundary(self, server, gen, interval):
        """Has the server write behind once more, so that it is known when it does; that time."""
        before = server.stats()["usage_flushed_total"]
        gen.run(server, seconds=0.05)
        return self._wait_for_write_behind(server, before, interval)

    @staticmethod
    def _wait_for_write_behind(server, before, interval):
        """Waits until what was used is written; the time at which the writing began to be seen."""
        deadline = time.monotonic() + 3 * interval + 30
        began, changed, last = None, time.monotonic(), before
        while time.monotonic() < deadline:
            time.sleep(0.1)
            flushed = server.stats()["usage_flushed_total"]
            now = time.monotonic()
            if flushed != last:
                began = began or now
                changed, last = now, flushed
            if began and now - changed > STABLE_SECONDS:
                return began
        raise servers.Failed("usage is not written behind")

    def _window(self, gen, server, seconds, is_on, interval):
        """One window: all CPU from a state in which nothing waits to be written to the next such."""
        before = server.stats()["usage_flushed_total"]
        cpu = server.cpu_seconds()
        with stats.Poller(lambda: server.stats()["usage_flushed_total"], 0.5) as poller:
            result = gen.run(server, seconds=seconds)["validate"]
        flushed = server.stats()["usage_flushed_total"]
        if is_on:
            self._wait_for_write_behind(server, flushed, interval)
        else:
            time.sleep(STABLE_SECONDS)
        after = server.stats()["usage_flushed_total"]
        counts = [before] + [flushed for _, flushed in poller.samples] + [flushed]
        # A write-behind is a run of samples that rise.
        rises = sum(b > a and (i == 0 or counts[i - 1] == a)
                    for i, (a, b) in enumerate(zip(counts, counts[1:])))
        return {"cpu_ns": (server.cpu_seconds() - cpu) * 1e9, "tokens": result["tokens"],
                "seconds": seconds, "written": after - before, "write_behinds": rises + is_on,
                "threads_ns": result.get("server_threads_ns", {})}

    @staticmethod
    def _per_token(windows):
        return [window["cpu_ns"] / window["tokens"] for window in windows]

    def bars(self, data, p):
        return [figures.Bar("CPU per validate, on ÷ off", 1.05,
                            figures.ratios(self._per_token(data["on"]), self._per_token(data["off"])),
                            digits=3)]

    def body(self, data, p, bars):
        rows = []
        for name in ("on", "off"):
            windows = data[name]
            rows.append([
                f"usage {name}", figures.spread(self._per_token(windows), 1),
                f"{figures.middle([w['tokens'] for w in windows]) / 1e6:,.1f}M",
                figures.spread([w["write_behinds"] for w in windows], 0),
                f"{figures.middle([w['written'] for w in windows]):,.0f}"])
        seconds = figures.middle([window["seconds"] for window in data["on"]])
        return f"""
Two servers, one as it comes (last use and use count of each token are written every
{p['interval_ms'] / 1000:g} s) and one with `--usage-flush-interval-ms 0`, alternating over {p['rounds']} rounds.
A window is {seconds:.0f} s of validates at depth {p['depth']}, where noting a use weighs most, and goes on
until all that was noted is written, so that the CPU time of whole write-behinds is in it.
{section.conditions(p)}

{bars}

{figures.table(["", "server CPU per validate, ns (min – max)", "validates a window",
                "write-behinds a window", "uses written a window"], rows)}

A write-behind wrote {self._share_written(data, p):.1%} of the tokens, in the median.
"""

    @staticmethod
    def _share_written(data, p):
        return figures.middle([window["written"] / window["write_behinds"] / p["keys"]
                               for window in data["on"]])
