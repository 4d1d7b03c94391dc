"""/auth over HTTP, beside an nginx that answers out of memory, and behind one that asks it."""

import os
import tempfile
import types

import figures
import mariadb
import servers
from sections import section


class Gateway(section.Section):
    name = "gateway"
    title = "Gateways"
    full = {"keys": 1_000_000, "connections": 50, "rounds": 7, "seconds": 3.0, "warmup": 0.5}
    quick = {"keys": 50_000, "connections": 50, "rounds": 1, "seconds": 0.7, "warmup": 0.2}
    titles = {"tokend": "tokend, `/auth`", "nginx": "nginx, an empty 200",
              "nginx-gif": "nginx, a GIF of 43 bytes from memory",
              "nginx-auth": "the same, `auth_request` to tokend first",
              "mariadb": "MariaDB, a prepared `SELECT` by the token"}

    def measure(self, run, p):
        gen = section.closed_loop(run, p, depth=1, seconds=p["seconds"], warmup=p["warmup"])
        tokend = section.start_loaded(run, gen, "tokend", http=True)
        asked = {"tokend": types.SimpleNamespace(name="tokend", protocol="http-auth", pid=tokend.pid,
                                                 address=tokend.http_address),
                 "nginx": run.fleet.start("nginx"), "nginx-gif": run.fleet.start("nginx-gif"),
                 "nginx-auth": run.fleet.start("nginx-auth", upstream=tokend.http_address)}
        data = {name: [] for name in asked}
        for number in range(1, p["rounds"] + 1):
            for name, server in asked.items():
                before = tokend.cpu_seconds()
                result = gen.run(server)["validate"]
                if name == "nginx-auth":
                    # Of the warm-up, too, so that both are counted alike.
                    spent = tokend.cpu_seconds() - before
                    share = p["seconds"] / (p["seconds"] + p["warmup"])
                    result["tokend_ns"] = spent * share * 1e9 / (result["per_second"] * p["seconds"])
                data[name].append(result)
            run.say(f"round {number} of {p['rounds']} done")
        data["mariadb"] = self._select(run, p)
        return data

    @staticmethod
    def _select(run, p):
        with tempfile.TemporaryDirectory(prefix="tokend-bench-", dir=os.path.join(run.build_dir, "bench")) as scratch:
            with mariadb.MariaDb(os.path.join(scratch, "mariadb"), pin=True) as database:
                database.run_sql(mariadb.TABLE.format(rows=p["keys"]))
                database.select(p["keys"], p["connections"], 1)
                results = []
                for _ in range(p["rounds"]):
                    results.append(database.select(p["keys"], p["connections"], max(1, p["seconds"])))
                run.say("MariaDB done")
                return results

    @staticmethod
    def _ns(runs):
        return [run["server_ns"] for run in runs]

    def bars(self, data, p):
        return [figures.Bar("CPU per request, `/auth` ÷ nginx's empty 200", 1.25,
                            figures.ratios(self._ns(data["tokend"]), self._ns(data["nginx"]))),
                figures.Bar("CPU per check, `/auth` ÷ MariaDB's prepared `SELECT`", 0.2,
                            figures.ratios(self._ns(data["tokend"]), self._ns(data["mariadb"])))]

    def body(self, data, p, bars):
        rows = [[self.titles[name], figures.spread([run["per_second"] / 1e3 for run in runs], 0),
                 figures.spread(self._ns(runs), 0),
                 figures.number(figures.middle([run["latency_us"]["p99"] for run in runs]), 0)]
                for name, runs in data.items()]
        alone = figures.middle(self._ns(data["nginx-gif"]))
        asking = figures.middle(self._ns(data["nginx-auth"]))
        beside = figures.middle([run["tokend_ns"] for run in data["nginx-auth"]])
        return f"""
`GET /auth` with a Bearer token, one request in flight on each of {p['connections']} kept connections; status and owner of
every answer checked. nginx {servers.version('nginx')} has one worker, no access log, and a `return 200`; the third asks
tokend with `auth_request`, over kept connections. All servers on CPU 0, the generator on CPU 1; {p['rounds']}
rounds of {p['seconds']:g} s in turn. {p['keys']:,} live tokens, uniformly random. MariaDB, as its package delivers it, has as many rows
with a unique index on the token, and is asked by `sysbench` over a unix socket, after the others.

{bars}

{figures.table(["", "thousand requests/s (min – max)", "its CPU, ns a request (min – max)", "p99, µs"], rows)}

To ask costs nginx {(asking - alone) / 1e3:.1f} µs a request more, and tokend {beside / 1e3:.1f} µs.
"""
