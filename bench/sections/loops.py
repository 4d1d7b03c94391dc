"""Two event loops: that both serve and answer right. Two CPUs cannot tell how it scales."""

import figures
from sections import section

DEPTHS = (1, 16, 64)


class Loops(section.Section):
    name = "loops"
    title = "Two loops"
    full = {"keys": 1_000_000, "connections": 50, "rounds": 5, "seconds": 3.0, "warmup": 0.5}
    quick = {"keys": 50_000, "connections": 50, "rounds": 1, "seconds": 0.7, "warmup": 0.2}

    def measure(self, run, p):
        gen = section.closed_loop(run, p, pin=False, seconds=p["seconds"], warmup=p["warmup"])
        fleet = {}
        for loops in (1, 2):
            fleet[loops] = run.fleet.start("tokend", threads=loops, pin=False)
            gen.load(fleet[loops])
            fleet[loops].settle()
        data = {str(loops): {str(depth): [] for depth in DEPTHS} for loops in fleet}
        for number in range(1, p["rounds"] + 1):
            for depth in DEPTHS:
                for loops, server in fleet.items():
                    before = server.stats()["loops"]
                    result = gen.run(server, depth=depth)["validate"]
                    result["loop_requests"] = [
                        b["requests_total"] - a["requests_total"]
                        for a, b in zip(before, server.stats()["loops"])]
                    data[str(loops)][str(depth)].append(result)
            run.say(f"round {number} of {p['rounds']} done")
        return data

    def body(self, data, p, bars):
        rows, shares = [], []
        for depth in DEPTHS:
            for loops, by_depth in data.items():
                runs = by_depth[str(depth)]
                share = [max(run["loop_requests"]) / sum(run["loop_requests"]) for run in runs]
                if loops == "2":
                    shares += [min(run["loop_requests"]) / sum(run["loop_requests"]) for run in runs]
                rows.append([
                    f"{loops} loop{'s' if loops != '1' else ''}", str(depth),
                    figures.spread([run["per_second"] / 1e3 for run in runs], 0),
                    figures.spread([run["server_ns"] for run in runs], 0),
                    figures.number(figures.middle([run["latency_us"]["p99"] for run in runs]), 0),
                    f"{figures.middle(share):.0%}"])
        served = (f"Both loops served in every window: the one with less took {min(shares):.0%} of the "
                  "requests at least." if min(shares) > 0 else
                  "**In some window one of the two loops served nothing.**")
        return f"""
tokend with one loop and with two, not pinned, so that loops and generator share the CPUs: {p['rounds']} rounds
of {p['seconds']:g} s each in turn, closed loop, TCP, {p['connections']} connections, {p['keys']:,} tokens. All answers
were right. {served} There is no bar, since two CPUs cannot tell how loops scale.

{figures.table(["", "depth", "thousand validates/s (min – max)", "server CPU, ns", "p99 µs",
                "busiest loop's share"], rows)}
"""
