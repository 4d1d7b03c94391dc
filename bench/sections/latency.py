"""Latency against the rate of requests, up to what each server can keep up with."""

import charts
import figures
import servers
import svg
from sections import section

PERCENTILES = {"p50": "p50", "p99": "p99", "p999": "p99.9"}
KEEPS_UP = 0.98  # of the rate


class Latency(section.Section):
    name = "latency"
    title = "Latency against rate"
    full = {"keys": 1_000_000, "connections": 50, "depth": 64, "rounds": 5, "seconds": 2.0, "warmup": 0.5,
            "rates": [25_000, 50_000, 100_000, 150_000, 200_000, 300_000, 400_000, 600_000, 800_000,
                      1_200_000, 1_600_000, 2_400_000, 3_200_000]}
    quick = {"keys": 50_000, "connections": 50, "depth": 64, "rounds": 1, "seconds": 0.7, "warmup": 0.2,
             "rates": [50_000, 200_000, 400_000, 800_000, 1_600_000]}

    def measure(self, run, p):
        gen = section.closed_loop(run, p, depth=p["depth"], seconds=p["seconds"], warmup=p["warmup"],
                                  spin=True)
        fleet = [section.start_loaded(run, gen, name)
                 for name in run.wanted("floor", "redis", "memcached", "tokend")]
        data = {server.name: {} for server in fleet}
        for number in range(1, p["rounds"] + 1):
            for rate in p["rates"]:
                for server in fleet:
                    # The first round tells how far each can go; the last rung is where it could not.
                    if number == 1 and data[server.name] and self._fell_behind(data[server.name]):
                        continue
                    if number > 1 and str(rate) not in data[server.name]:
                        continue
                    result = gen.run(server, rate=rate)["validate"]
                    data[server.name].setdefault(str(rate), []).append(
                        {key: result[key] for key in ("per_second", "latency_us", "server_ns")})
            run.say(f"round {number} of {p['rounds']} done")
        return data

    @staticmethod
    def _fell_behind(rungs):
        rate, runs = list(rungs.items())[-1]
        return not Latency._keeps_up(int(rate), runs)

    @staticmethod
    def _keeps_up(rate, runs):
        return figures.middle([run["per_second"] for run in runs]) >= KEEPS_UP * rate

    def body(self, data, p, bars):
        rows = []
        for rate in p["rates"]:
            row = [f"{rate:,}"]
            for rungs in data.values():
                runs = rungs.get(str(rate))
                if not runs:
                    row.append("–")
                elif not self._keeps_up(rate, runs):
                    reached = figures.middle([run["per_second"] for run in runs])
                    row.append(f"only {reached / 1e3:,.0f}k/s")
                else:
                    row.append(" / ".join(figures.number(figures.middle(
                        [run["latency_us"][q] for run in runs]), 0) for q in PERCENTILES))
            if any(cell != "–" for cell in row[1:]):
                rows.append(row)
        return f"""
Open loop: requests are sent at even intervals whatever the answers do, and latency counts from the
intended time, so that a stall is not hidden. {p['rounds']} rounds of {p['seconds']:g} s for each rate and server in
turn, medians. {section.conditions(p)} The
generator spins. A server's row ends where it gave less than {KEEPS_UP:.0%} of the rate.

![Latency against rate](img/latency-by-rate.svg)

p50 / p99 / p99.9 in µs:

{figures.table(["requests/s"] + [servers.TITLES[name] for name in data], rows)}
"""

    def pictures(self, data, p):
        panels = []
        for percentile, title in PERCENTILES.items():
            curves = []
            for name, rungs in data.items():
                points = [(int(rate), figures.middle([run["latency_us"][percentile] for run in runs]))
                          for rate, runs in rungs.items()]
                curves.append((name, name, points, self._fell_behind(rungs)))
            panels.append((title, curves))
        measured = [rate for rungs in data.values() for rate in map(int, rungs)]
        lowest = min(y for _, curves in panels for _, _, points, _ in curves for _, y in points)
        return {"latency-by-rate": charts.rate_panels(
            "Latency against rate", "open loop, counted from the time a request was due; a cross: the "
            "server could not keep up; less is better", panels,
            svg.Log(min(measured), max(measured), between=(3,)),
            svg.Log(10 if lowest >= 10 else 1, 30_000, between=(3,)), "validates/s")}
