"""A million tokens falling due within one second, under a steady stream of validates."""

import math
import time

import charts
import figures
import servers
import stats
import svg
from sections import section

STORM_FIRST = 10**9
LEAD_SECONDS = 2  # of a busy window, before the first token falls due
USAGE_SECONDS = 60  # from one write-behind of usage to the next
WRITING_SECONDS = 10  # that it may take
TURN_US = 500
TIMELINE_MS = 100


def held_by(answer):
    """Tokens whose memory cannot be used for others."""
    return answer["tokens"] + answer["tokens_retired"] if isinstance(answer, dict) else answer


class Usage:
    """When tokend writes usage behind, as far as can be seen from outside."""

    def __init__(self, server):
        answer = server.stats()
        self._count = 0
        self._written = None
        if isinstance(answer, dict):
            self._count = answer["usage_flushed_total"]
            self._written = time.time() - answer["uptime_ms"] / 1000

    def noted(self, answer):
        if isinstance(answer, dict) and answer["usage_flushed_total"] != self._count:
            self._count, self._written = answer["usage_flushed_total"], time.time()
        return answer

    def written_after(self, unix_seconds):
        """When a write-behind will have ended, at that time or later."""
        periods = math.ceil((unix_seconds - WRITING_SECONDS - self._written) / USAGE_SECONDS)
        return self._written + max(periods, 0) * USAGE_SECONDS + WRITING_SECONDS


class Storm(section.Section):
    name = "storm"
    title = "Expiry storm"
    full = {"keys": 1_000_000, "storm_keys": 1_000_000, "connections": 50, "rate": 50_000, "rounds": 5,
            "peer_rounds": 1, "seconds": 10.0, "warmup": 0.5, "reclaim_seconds_max": 120,
            "between_write_behinds": True}
    quick = {"keys": 50_000, "storm_keys": 50_000, "connections": 50, "rate": 50_000, "rounds": 1,
             "peer_rounds": 1, "seconds": 4.0, "warmup": 0.2, "reclaim_seconds_max": 5,
             "between_write_behinds": False}

    def measure(self, run, p):
        gen = section.closed_loop(run, p, depth=64, rate=p["rate"], spin=True, seconds=p["seconds"],
                                  warmup=p["warmup"], timeline=TIMELINE_MS)
        loader = section.closed_loop(run, p)
        data = {}
        for name in run.wanted("tokend", "redis", "memcached"):
            rounds = p["rounds"] if name == "tokend" else p["peer_rounds"]
            if rounds == 0:
                continue
            server = section.start_loaded(
                run, loader, name, flags=["--usage-flush-interval-ms", str(1000 * USAGE_SECONDS)]
                if name == "tokend" else [])
            server.usage = Usage(server)
            data[name] = []
            for number in range(rounds):
                data[name].append(self._round(gen, loader, server, p, number))
                run.say(f"{name}: round {number + 1} of {rounds} done")
            run.fleet.stop(server)
        return data

    def _round(self, gen, loader, server, p, number):
        """One quiet window and one with a storm; the storm's tokens are there in both."""
        held = held_by(server.stats())
        window_seconds = p["seconds"] + p["warmup"] + 1  # and the generator's start
        # Stored on one CPU now, so slower than the first were.
        earliest = time.time() + 3 * p["storm_keys"] / server.load["per_second"] + 4
        if p["between_write_behinds"] and server.name == "tokend":
            earliest = server.usage.written_after(earliest)
        due = math.ceil(earliest + window_seconds + LEAD_SECONDS + p["warmup"] + 0.1)
        loader.load(server, first=STORM_FIRST + number * p["storm_keys"], keys=p["storm_keys"],
                    expires_from=due * 1000, expires_spread=1000)
        busy_from = due - LEAD_SECONDS - p["warmup"] - 0.1
        quiet_from = busy_from - window_seconds
        if time.time() > quiet_from:
            raise servers.Failed(f"{server.name} took too long to store the tokens of the storm")
        server.settle(max(0, quiet_from - time.time()))
        section.sleep_until(quiet_from)
        before = server.stats()
        quiet = self._window(gen, server)
        section.sleep_until(busy_from)
        between = server.stats()
        busy = self._window(gen, server)
        deadline = due + 1 + p["reclaim_seconds_max"]
        samples = busy.pop("samples")
        while samples[-1][1] > held and time.time() < deadline:
            time.sleep(0.1)
            samples.append((time.time(), held_by(server.usage.noted(server.stats()))))
        after = server.stats()
        quiet.pop("samples")
        freed = next((at - due for at, holds in samples if at > due and holds <= held), None)
        result = {"quiet": quiet, "busy": busy, "due_seconds": due - busy["started"],
                  "freed_seconds": freed}
        if server.name == "tokend":
            for key, first, last in (("quiet", before, between), ("busy", between, after)):
                result[key]["turns_above"] = stats.turns_above(first, last, TURN_US)
                result[key]["turns_within"] = stats.turns_within(first, last)
                result[key]["usage_written"] = (last["usage_flushed_total"]
                                                - first["usage_flushed_total"])
        return result

    @staticmethod
    def _window(gen, server):
        with stats.Poller(lambda: held_by(server.usage.noted(server.stats())), 0.25) as poller:
            result = gen.run(server)["validate"]
        # The generator measures until it ends.
        return {"started": time.time() - result["seconds"], "latency_us": result["latency_us"],
                "per_second": result["per_second"], "server_ns": result["server_ns"],
                "timeline": result["timeline"], "samples": poller.samples}

    @staticmethod
    def _p99(rounds, kind):
        return [window[kind]["latency_us"]["p99"] for window in rounds]

    def _ratio(self, rounds):
        return figures.middle(self._p99(rounds, "busy")) / figures.middle(self._p99(rounds, "quiet"))

    def bars(self, data, p):
        rounds = data.get("tokend", [])
        freed = [window["freed_seconds"] - 1 for window in rounds if window["freed_seconds"] is not None]
        turns = [window["busy"]["turns_above"] for window in rounds]
        return [
            figures.Bar("p99 of the windows with a storm ÷ of the quiet ones, medians", 1.5,
                        [self._ratio(rounds)] if rounds else None),
            figures.Bar("longest from the last token's falling due until all memory is reusable", 3,
                        [max(0, *freed)] if freed and len(freed) == len(rounds) else None,
                        unit="s", digits=1,
                        why=f"not all of it was within {p['reclaim_seconds_max']} s"),
            figures.Bar("turns of the loop above 0.5 ms of CPU in all windows with a storm", 0,
                        None if None in turns or not turns else [sum(turns)], digits=0,
                        why="the server does not tell its loops' turns")]

    def body(self, data, p, bars):
        rows = []
        for name, rounds in data.items():
            freed = [window["freed_seconds"] for window in rounds]
            rows.append([
                servers.TITLES[name], figures.spread(self._p99(rounds, "quiet"), 0),
                figures.spread(self._p99(rounds, "busy"), 0), figures.number(self._ratio(rounds), 2),
                figures.number(max(window["busy"]["latency_us"]["max"] for window in rounds) / 1e3, 1),
                f"more than {p['reclaim_seconds_max']} s" if None in freed else
                figures.spread(freed, 1) + " s"])
        return f"""
{p['storm_keys']:,} tokens fall due within one second while {p['rate']:,} validates a second go to
{p['keys']:,} others, in an open loop: latency counts from the time at which a request was due.
Windows of {p['seconds']:g} s, quiet and with a storm, alternate: {p['rounds']} of each for tokend,
{p['peer_rounds']} for each peer; the tokens of the storm are in memory in both. \
{"tokend's windows lie between two write-behinds of usage." if p['between_write_behinds'] else ''} {section.conditions(p)} The generator spins.

{bars}

![Expiry storm](img/expiry-storm.svg)

{figures.table(["server", "p99 quiet, µs (min – max)", "p99 with a storm, µs", "ratio", "longest, ms",
                "all memory free, after the first fell due"], rows)}

{self._turns_text(data)}
"""

    @staticmethod
    def _turns_text(data):
        rounds = data.get("tokend")
        if not rounds:
            return ""
        if rounds[0]["busy"]["turns_above"] is None:
            return "This tokend does not tell how long the turns of its loops take."
        counts = {kind: [window[kind]["turns_above"] for window in rounds] for kind in ("quiet", "busy")}
        written = sum(window[kind]["usage_written"] > 0 for window in rounds
                      for kind in ("quiet", "busy"))
        within = max(window["busy"]["turns_within"] for window in rounds)
        return (f"Turns of tokend's loop that took more than 0.5 ms of its thread's CPU time: "
                f"{sum(counts['quiet'])} in all quiet windows, {sum(counts['busy'])} in those with a storm "
                f"(until all memory was free), and there none more than {within / 1e3:g} ms. Usage was being "
                f"written behind in {written} of the {2 * len(rounds)} windows.")

    def pictures(self, data, p):
        if not data:
            return {}
        curves, highest = [], 1000
        for name, rounds in data.items():
            # The window in the middle, by its p99.
            order = sorted(rounds, key=lambda window: window["busy"]["latency_us"]["p99"])
            window = order[len(order) // 2]
            shift = window["due_seconds"]
            points = [(at - shift, entry["p99"]) for at, entry in
                      section.whole_intervals(window["busy"]["timeline"], TIMELINE_MS)
                      if at - shift >= -LEAD_SECONDS]
            highest = max(highest, max(y for _, y in points))
            curves.append((name, name, points))
        high = 10 ** math.ceil(math.log10(highest))
        low = min(y for _, _, points in curves for _, y in points)
        return {"expiry-storm": charts.timelines(
            f"Expiry storm: {svg.short(p['storm_keys'])} tokens fall due within one second",
            f"p99 latency of each 0.1 s at {svg.short(p['rate'])} validates/s of other tokens, open loop; "
            "less is better",
            [("", svg.Log(10 if low >= 10 else 1, high), charts.microseconds, curves, 250)],
            svg.Linear(-LEAD_SECONDS, p["seconds"] - LEAD_SECONDS, 10),
            "seconds from the time at which the first of them is due", [(0, 1)], "falling due")}
