"""validate_many against as many single validates in flight."""

import figures
from sections import section


class Many(section.Section):
    name = "many"
    title = "validate_many"
    full = {"keys": 1_000_000, "connections": 50, "rounds": 7, "seconds": 3.0, "warmup": 0.5,
            "batch": 64}
    quick = {"keys": 50_000, "connections": 50, "rounds": 2, "seconds": 0.8, "warmup": 0.2, "batch": 64}
    in_flight = (1, 4, 16)  # requests of a batch, on each connection

    def measure(self, run, p):
        gen = section.closed_loop(run, p)
        server = section.start_loaded(run, gen, "tokend")
        windows = {"single": {"depth": p["batch"]}}
        for depth in self.in_flight:
            windows[f"many{depth}"] = {"depth": depth, "batch": p["batch"]}
        data = {name: [] for name in windows}
        for number in range(1, p["rounds"] + 1):
            for name, options in windows.items():
                result = gen.run(server, seconds=p["seconds"], warmup=p["warmup"], **options)
                data[name].append(result["validate"])
            run.say(f"round {number} of {p['rounds']} done")
        return data

    def bars(self, data, p):
        return [figures.Bar(f"CPU per token of `validate_many` of {p['batch']}, {depth} in flight, ÷ of "
                            f"validate at depth {p['batch']}", 0.65,
                            figures.ratios([run["server_ns"] for run in data[f"many{depth}"]],
                                           [run["server_ns"] for run in data["single"]]))
                for depth in self.in_flight]

    def body(self, data, p, bars):
        rows = []
        titles = {"single": f"`validate`, {p['batch']} requests in flight"}
        for depth in self.in_flight:
            titles[f"many{depth}"] = f"`validate_many` of {p['batch']}, {depth} in flight"
        for name, title in titles.items():
            runs = data[name]
            rows.append([title, figures.spread([run["server_ns"] for run in runs], 0),
                         f"{figures.middle([run['per_second'] for run in runs]) / 1e3:,.0f}k"]
                        + [figures.number(figures.middle([run["latency_us"][q] for run in runs]), 0)
                           for q in ("p50", "p99")])
        return f"""
Single requests in flight on each connection, and requests of {p['batch']} tokens each: one in flight
has as many tokens under way, and pays for a read and a write of the loop with each; with several, a
read brings more than one. Alternating over {p['rounds']} rounds of {p['seconds']:g} s, closed loop.
{section.conditions(p)} The latency of
`validate_many` is that of the whole request.

{bars}

{figures.table(["", "server CPU per token, ns (min – max)", "tokens/s", "p50 µs", "p99 µs"], rows)}
"""
