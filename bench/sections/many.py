"""validate_many against as many single validates in flight."""

import figures
from sections import section


class Many(section.Section):
    name = "many"
    title = "validate_many"
    full = {"keys": 1_000_000, "connections": 50, "rounds": 9, "seconds": 3.0, "warmup": 0.5,
            "batch": 64}
    quick = {"keys": 50_000, "connections": 50, "rounds": 2, "seconds": 0.8, "warmup": 0.2, "batch": 64}

    def measure(self, run, p):
        gen = section.closed_loop(run, p)
        server = section.start_loaded(run, gen, "tokend")
        data = {"single": [], "many": []}
        for number in range(1, p["rounds"] + 1):
            for name, options in (("single", {"depth": p["batch"]}),
                                  ("many", {"depth": 1, "batch": p["batch"]})):
                result = gen.run(server, seconds=p["seconds"], warmup=p["warmup"], **options)
                data[name].append(result["validate"])
            run.say(f"round {number} of {p['rounds']} done")
        return data

    def bars(self, data, p):
        return [figures.Bar(f"CPU per token of `validate_many` of {p['batch']} ÷ of validate at depth "
                            f"{p['batch']}", 0.65,
                            figures.ratios([run["server_ns"] for run in data["many"]],
                                           [run["server_ns"] for run in data["single"]]))]

    def body(self, data, p, bars):
        rows = []
        for name, title in (("single", f"`validate`, {p['batch']} requests in flight"),
                            ("many", f"`validate_many` of {p['batch']}, one request in flight")):
            runs = data[name]
            rows.append([title, figures.spread([run["server_ns"] for run in runs], 0),
                         f"{figures.middle([run['per_second'] for run in runs]) / 1e3:,.0f}k"]
                        + [figures.number(figures.middle([run["latency_us"][q] for run in runs]), 0)
                           for q in ("p50", "p99")])
        return f"""
The same number of tokens in flight on each connection, once as single requests and once as one
request, alternating over {p['rounds']} rounds of {p['seconds']:g} s, closed loop.
{section.conditions(p)} The latency of
`validate_many` is that of the whole request.

{bars}

{figures.table(["", "server CPU per token, ns (min – max)", "tokens/s", "p50 µs", "p99 µs"], rows)}
"""
