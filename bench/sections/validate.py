"""validate against the peers and the floor, by depth of the pipeline: over TCP and unix sockets."""

import charts
import figures
import servers
from sections import section

DEPTHS = (1, 16, 64)
# Server CPU in ns when the bars were set, floor and redis: the floor counts where its share of redis
# is still about that.
REFERENCE = {1: (4900, 7000), 16: (340, 1820), 64: (96, 1560)}
REFERENCE_UNIX = {1: 2180, 16: 165, 64: 67}
FLOOR_TOLERANCE = 0.15


class Validate(section.Section):
    name = "validate"
    title = "validate against its peers, TCP"
    unix = False
    full = {"keys": 1_000_000, "connections": 50, "rounds": 5, "seconds": 3.0, "warmup": 0.5,
            "hit_ratio": 1.0}
    quick = {"keys": 50_000, "connections": 50, "rounds": 1, "seconds": 0.7, "warmup": 0.2,
             "hit_ratio": 1.0}

    def measure(self, run, p):
        gen = section.closed_loop(run, p, hit_ratio=p["hit_ratio"])
        fleet = [section.start_loaded(run, gen, name, unix=self.unix) for name in run.servers]
        data = {"loads": {}, "runs": {server.name: {str(d): [] for d in DEPTHS} for server in fleet}}
        for server in fleet:
            if server.name != "floor":
                data["loads"][server.name] = {
                    **server.load, "resident_bytes": server.resident_bytes() - server.empty_bytes}
        for number in range(1, p["rounds"] + 1):
            for depth in DEPTHS:
                for server in fleet:
                    result = gen.run(server, depth=depth, seconds=p["seconds"], warmup=p["warmup"])
                    data["runs"][server.name][str(depth)].append(result["validate"])
            run.say(f"round {number} of {p['rounds']} done")
        return data

    @staticmethod
    def _cpu(data, name, depth):
        return [run["server_ns"] for run in data["runs"].get(name, {}).get(str(depth), [])]

    def _ratios(self, data, name, other, depth):
        return figures.ratios(self._cpu(data, name, depth), self._cpu(data, other, depth))

    def _floor_share(self, data, depth):
        """(the floor's CPU ÷ redis's now, then, how far off), or None."""
        now = self._ratios(data, "floor", "redis", depth)
        if not now:
            return None
        then = REFERENCE[depth][0] / REFERENCE[depth][1]
        return figures.middle(now), then, figures.middle(now) / then - 1

    def _floor_doubt(self, data, depth):
        if self.unix:
            return ""
        share = self._floor_share(data, depth)
        if share is None:
            return "the floor's share of redis is not known"
        if abs(share[2]) <= FLOOR_TOLERANCE:
            return ""
        return f"the floor is {abs(share[2]):.0%} {'below' if share[2] < 0 else 'above'} its reference"

    def bars(self, data, p):
        limits = {1: 1.2, 16: 2.0, 64: 3.3} if self.unix else {1: 1.1, 16: 1.5, 64: 2.7}
        bars = [figures.Bar(f"depth {depth}, tokend's CPU ÷ the floor's", limit,
                            self._ratios(data, "tokend", "floor", depth),
                            doubt=self._floor_doubt(data, depth)) for depth, limit in limits.items()]
        if self.unix:
            return bars
        for name in ("redis", "memcached", "memcached-R200"):
            if name in data["runs"]:
                bars.append(figures.Bar(f"depth 1, ÷ {servers.TITLES[name]}'s", 1.0,
                                        self._ratios(data, "tokend", name, 1)))
        bars += [figures.Bar(f"depth {depth}, ÷ redis-server's", limit,
                             self._ratios(data, "tokend", "redis", depth))
                 for depth, limit in ((16, 0.28), (64, 0.17))]
        bars.append(figures.Bar(
            "the generator's own CPU per validate at depth 16", 500,
            [run["generator_ns"] for run in data["runs"].get("tokend", {}).get("16", [])], unit="ns",
            digits=0))
        return bars

    def _figures_table(self, data):
        rows = []
        for depth in DEPTHS:
            for name in data["runs"]:
                runs = data["runs"][name][str(depth)]
                latency = " / ".join(
                    figures.number(figures.middle([run["latency_us"][p] for run in runs]), 0)
                    for p in ("p50", "p99", "p999"))
                rows.append([
                    servers.TITLES[name], str(depth), figures.spread(self._cpu(data, name, depth), 0),
                    f"{figures.middle([run['per_second'] for run in runs]) / 1e3:,.0f}k", latency,
                    self._middle_ratio(data, name, "redis", depth),
                    self._middle_ratio(data, name, "floor", depth),
                    figures.number(figures.middle([run["generator_ns"] for run in runs]), 0)])
        return figures.table(["server", "depth", "server CPU, ns (min – max)", "validates/s",
                              "p50 / p99 / p99.9 µs", "÷ redis's CPU", "÷ the floor's", "generator's CPU, ns"],
                             rows)

    def _middle_ratio(self, data, name, other, depth):
        ratios = self._ratios(data, name, other, depth)
        return figures.number(figures.middle(ratios), 3 if figures.middle(ratios) < 1 else 2) \
            if ratios else "–"

    def _load_table(self, data, p):
        return figures.table(
            ["server", "stored/s", "server CPU, ns per token", "resident bytes per token"],
            [[servers.TITLES[name], f"{load['per_second'] / 1e3:,.0f}k",
              figures.number(load["server_ns"], 0), figures.number(load["resident_bytes"] / p["keys"], 0)]
             for name, load in data["loads"].items()])

    def _floor_text(self, data):
        if self.unix:
            reference = ", ".join(f"{REFERENCE_UNIX[d]:,}" for d in DEPTHS)
            now = ", ".join(figures.number(figures.middle(self._cpu(data, "floor", d)), 0)
                            for d in DEPTHS) if "floor" in data["runs"] else "–"
            return (f"The floor took {now} ns at depth {', '.join(map(str, DEPTHS))}; when the bars were "
                    f"set it was {reference} ns.")
        rows = []
        for depth in DEPTHS:
            share = self._floor_share(data, depth)
            if share is None:
                continue
            floor, redis = REFERENCE[depth]
            rows.append([f"depth {depth}", figures.number(share[0], 3),
                         f"{share[1]:.3f} ({floor:,} ÷ {redis:,} ns)", f"{share[2]:+.0%}",
                         "yes" if abs(share[2]) <= FLOOR_TOLERANCE else "no"])
        if not rows:
            return ""
        return (f"The floor is a libuv server that reads and writes and does nothing else. It is a measure "
                f"only where it costs what it did, against redis, when the bars were set (within "
                f"{FLOOR_TOLERANCE:.0%}):\n\n" +
                figures.table(["", "floor ÷ redis", "when the bars were set", "off by", "counts"], rows))

    def body(self, data, p, bars):
        transport = "Unix sockets" if self.unix else "TCP over loopback"
        return f"""
Server CPU (user and system time of its process) per validate in a closed loop.
{section.conditions(p, transport)}
{p['rounds']} rounds of {p['seconds']:g} s for each server and depth, the servers in turn. tokend runs as it
always does, durable, with usage tracking; the peers keep 64 bytes for each token in memory only.
memcached runs once as it comes and once with `-R 200` (requests it takes of a connection in a row).

{bars}

{'' if self.unix else '![Server CPU per validate by depth](img/cpu-per-operation.svg)'}

{self._figures_table(data)}

{self._floor_text(data)}

Storing the tokens first, on all CPUs (tokend: `insert_many`, on disk before each answer):

{self._load_table(data, p)}
"""

    def pictures(self, data, p):
        if self.unix:
            return {}
        panels = []
        for depth in DEPTHS:
            bars = [(name, servers.TITLES[name].strip("*").replace("`", ""),
                     figures.middle(self._cpu(data, name, depth))) for name in data["runs"]]
            panels.append((f"{depth} in flight" if depth > 1 else "1 in flight", bars))
        return {"cpu-per-operation": charts.bar_panels(
            "Server CPU per validate", "ns, by requests in flight on each of "
            f"{p['connections']} connections; each panel has its own scale; less is better",
            panels, lambda value: figures.number(value, 0) + " ns")}


class Unix(Validate):
    name = "unix"
    title = "validate against its peers, unix sockets"
    unix = True
