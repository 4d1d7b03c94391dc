"""Durable inserts, one token a request, against Redis with an fsync for each answer."""

import figures
import servers
from sections import section


class Insert(section.Section):
    name = "insert"
    title = "Durable insert"
    full = {"connections": 50, "rounds": 5, "seconds": 60.0, "warmup": 1.0}
    quick = {"connections": 50, "rounds": 1, "seconds": 3.0, "warmup": 0.3}
    depths = {1: 1.2, 16: 0.6}  # how fast against Redis

    def measure(self, run, p):
        gen = section.closed_loop(run, {**p, "keys": 1}, pin=False, operation="insert",
                                  seconds=p["seconds"], warmup=p["warmup"])
        data = {name: {str(depth): [] for depth in self.depths}
                for name in run.wanted("redis", "tokend")}
        for number in range(1, p["rounds"] + 1):
            for depth in self.depths:
                for name in data:
                    data[name][str(depth)].append(self._window(run, gen, name, depth))
            run.say(f"round {number} of {p['rounds']} done")
        return data

    @staticmethod
    def _window(run, gen, name, depth):
        """A server of its own each time: one that had kept all of them would fill the memory."""
        server = run.fleet.start(name, pin=False, durable=True)
        before = server.stats()
        result = gen.run(server, depth=depth)["insert"]
        after = server.stats()
        if name == "tokend":
            result["commits"] = {key: after[key] - before[key] for key in
                                 ("mutations_total", "commits_total", "commit_us_total",
                                  "commit_bytes_total", "uptime_ms")}
        run.fleet.stop(server)
        return result

    @staticmethod
    def _per_second(data, name, depth):
        return [run["per_second"] for run in data.get(name, {}).get(str(depth), [])]

    def bars(self, data, p):
        return [figures.Bar(f"depth {depth}, inserts/s ÷ redis's", limit,
                            figures.ratios(self._per_second(data, "tokend", depth),
                                           self._per_second(data, "redis", depth)), at_least=True)
                for depth, limit in self.depths.items()]

    def body(self, data, p, bars):
        rows = []
        for depth in self.depths:
            for name in data:
                runs = data[name][str(depth)]
                rows.append([servers.TITLES[name], str(depth),
                             figures.spread([run["per_second"] / 1e3 for run in runs], 1),
                             figures.spread([run["server_ns"] for run in runs], 0),
                             " / ".join(figures.number(figures.middle(
                                 [run["latency_us"][q] / 1e3 for run in runs]), 1)
                                 for q in ("p50", "p99", "p999"))])
        return f"""
New tokens, one a request, each on disk (fsync) before its answer: tokend as it always is, redis-server
with `--appendonly yes --appendfsync always`. {p['rounds']} rounds of {p['seconds']:g} s each in turn, long enough
for RocksDB's flushes and compactions and for Redis's rewrites of its log; closed loop, TCP,
{p['connections']} connections, every answer checked. Each window has a server of its own, empty at first, on
all CPUs, and the generator beside it. tokend runs one loop.

{bars}

{figures.table(["server", "depth", "thousand inserts/s (min – max)", "server CPU, ns per insert",
                "p50 / p99 / p99.9 ms"], rows)}

{self._threads_table(data)}

{self._commits_text(data)}
"""

    def _threads_table(self, data):
        runs = {depth: data.get("tokend", {}).get(str(depth), []) for depth in self.depths}
        names = sorted({name for of_depth in runs.values() for run in of_depth
                        for name in run.get("server_threads_ns", {})})
        if not names:
            return ""
        rows = []
        for name in names:
            row = [f"`{name}`"]
            for of_depth in runs.values():
                ns = [run["server_threads_ns"].get(name, 0) for run in of_depth]
                per_insert = [value / run["tokens"] for value, run in zip(ns, of_depth)]
                share = [value / run["seconds"] / 1e9 for value, run in zip(ns, of_depth)]
                row += [figures.number(figures.middle(per_insert), 0), f"{figures.middle(share):.0%}"]
            if any(cell not in ("0", "0%") for cell in row[1:]):
                rows.append(row)
        head = ["tokend's thread"]
        for depth in runs:
            head += [f"depth {depth}, CPU ns per insert", "of one CPU"]
        return "Where tokend's time goes:\n\n" + figures.table(head, rows)

    def _commits_text(self, data):
        parts = []
        for depth in self.depths:
            commits = [run["commits"] for run in data.get("tokend", {}).get(str(depth), [])]
            if not commits:
                return ""
            inserts, milliseconds, share = (
                figures.middle([commit[over] / commit[under] / scale for commit in commits])
                for over, under, scale in (("mutations_total", "commits_total", 1),
                                           ("commit_us_total", "commits_total", 1000),
                                           ("commit_us_total", "uptime_ms", 1000)))
            parts.append(f"At depth {depth} a commit took {inserts:.0f} inserts and {milliseconds:.2f} ms, "
                         f"its fsync included, and the commits together {share:.0%} of the time.")
        return " ".join(parts)
