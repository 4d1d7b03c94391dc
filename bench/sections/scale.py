"""Ten million tokens instead of one: the CPU of a validate, and the memory of a token."""

import time

import charts
import figures
import servers
from sections import section


class Scale(section.Section):
    name = "scale"
    title = "Ten million tokens"
    full = {"keys": 1_000_000, "keys_large": 10_000_000, "connections": 50, "depth": 64, "rounds": 5,
            "seconds": 3.0, "warmup": 0.5, "idle_seconds": 30, "peers": True}
    quick = {"keys": 20_000, "keys_large": 200_000, "connections": 50, "depth": 64, "rounds": 2,
             "seconds": 0.7, "warmup": 0.2, "idle_seconds": 2, "peers": False}

    def measure(self, run, p):
        gen = section.closed_loop(run, p)
        names = ("tokend", "redis", "memcached") if p["peers"] else ("tokend",)
        data = {"memory": {}, "validate": {}}
        for name in run.wanted(*names):
            large = section.start_loaded(run, gen, name, keys=p["keys_large"])
            data["memory"][name] = self._memory(large, p)
            small = section.start_loaded(run, gen, name)
            data["validate"][name] = self._validate(run, gen, small, large, p)
            if name == "tokend":
                large.settle()
                data["memory"]["tokend, used"] = self._memory(large, p)
            run.fleet.stop(small)
            run.fleet.stop(large)
        if "tokend" in run.servers and run.has_option("--distinct-owners"):
            server = section.start_loaded(run, gen, "tokend", keys=p["keys_large"],
                                          distinct_owners=True)
            data["memory"]["tokend, owners"] = self._memory(server, p)
        return data

    @staticmethod
    def _memory(server, p):
        time.sleep(p["idle_seconds"])
        memory = {"resident_bytes": server.resident_bytes(), "empty_bytes": server.empty_bytes}
        if server.protocol == "tokend":
            stats = server.stats()
            for name in ("rocksdb_memory_bytes", "slot_bytes", "index_bytes", "wheel_bytes",
                         "owner_bytes"):
                memory[name] = stats[name]
        return memory

    @staticmethod
    def _validate(run, gen, small, large, p):
        results = {"small": [], "large": []}
        for number in range(1, p["rounds"] + 1):
            for name, server, keys in (("small", small, p["keys"]), ("large", large, p["keys_large"])):
                result = gen.run(server, keys=keys, depth=p["depth"], seconds=p["seconds"],
                                 warmup=p["warmup"])
                results[name].append(result["validate"])
            run.say(f"{small.name}: round {number} of {p['rounds']} done")
        return results

    @staticmethod
    def _ratios(runs):
        return figures.ratios([run["server_ns"] for run in runs["large"]],
                              [run["server_ns"] for run in runs["small"]])

    def bars(self, data, p):
        ratios = self._ratios(data["validate"]["tokend"]) if "tokend" in data["validate"] else None
        memory = data["memory"].get("tokend")
        return [
            figures.Bar(f"CPU at {p['keys_large']:,} tokens ÷ at {p['keys']:,}, depth {p['depth']}", 1.25,
                        ratios),
            figures.Bar(f"resident bytes per token at {p['keys_large']:,}, RocksDB included", 100,
                        memory and [memory["resident_bytes"] / p["keys_large"]], digits=1)]

    def _memory_rows(self, data, p):
        """[(key, title, resident bytes per token, of it RocksDB's)]"""
        titles = {"tokend": "**tokend**, 100,000 owners",
                  "tokend, used": "**tokend**, after the validates above",
                  "tokend, owners": "**tokend**, every owner distinct",
                  "redis": "redis-server", "memcached": "memcached"}
        for key, title in titles.items():
            if key in data["memory"]:
                memory = data["memory"][key]
                rocksdb = memory.get("rocksdb_memory_bytes")
                yield (key, title, memory["resident_bytes"] / p["keys_large"],
                       None if rocksdb is None else rocksdb / p["keys_large"])

    def body(self, data, p, bars):
        cpu = figures.table(
            ["server", f"CPU, ns, {p['keys']:,} tokens", f"CPU, ns, {p['keys_large']:,} tokens",
             "÷ its own (min – max)"],
            [[servers.TITLES[name], figures.spread([run["server_ns"] for run in runs["small"]], 0),
              figures.spread([run["server_ns"] for run in runs["large"]], 0),
              figures.spread(self._ratios(runs), 2)] for name, runs in data["validate"].items()])
        memory = figures.table(
            ["server", "resident bytes per token", "of it RocksDB's caches and buffers", "the rest"],
            [[title, figures.number(resident, 1), figures.number(rocksdb, 1),
              figures.number(resident - (rocksdb or 0), 1)]
             for _, title, resident, rocksdb in self._memory_rows(data, p)])
        missing = "" if "tokend, owners" in data["memory"] else \
            "\n\nWith every owner distinct it was not measured in this run."
        return f"""
Each server twice, with {p['keys']:,} tokens and with {p['keys_large']:,}, asked in turn at depth
{p['depth']}: {p['rounds']} rounds of {p['seconds']:g} s, {p['connections']} connections over TCP, closed loop, every
answer checked; one loop on CPU 0, generator on CPU 1.

{bars}

{cpu}

Resident memory of the whole process, {p['keys_large']:,} tokens stored through the protocol, usage tracking
on, read {p['idle_seconds']} s after the server came to rest:

![Memory per token](img/memory-per-token.svg)

{memory}{missing}
"""

    def pictures(self, data, p):
        rows = []
        for key, title, resident, rocksdb in self._memory_rows(data, p):
            if key == "tokend, used":
                continue
            parts = [(resident, "")] if rocksdb is None else \
                [(resident - rocksdb, "tokens"), (rocksdb, "RocksDB")]
            rows.append((key.split(",")[0], title.replace("*", ""), parts))
        if not rows:
            return {}
        return {"memory-per-token": charts.stacked_bars(
            "Memory per token",
            f"resident bytes of the whole process ÷ {p['keys_large']:,} tokens; the lighter part is "
            "RocksDB's caches and buffers", rows,
            lambda value: f"{value:.0f} bytes")}
