"""A dump into tokend, into MariaDB, and its tokens into Redis."""

import json
import os
import shutil
import subprocess
import time

import dumps
import figures
import mariadb
import servers
from sections import section


def _timed(command, stdin=None):
    """Runs it to its end: seconds, its CPU seconds, its largest resident memory, and what it printed."""
    started = time.monotonic()
    with open(stdin or os.devnull, "rb") as source:
        process = subprocess.Popen(command, stdin=source, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL)
        text = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise servers.Failed(f"{' '.join(command)} ended with status {status}:\n{text.decode()[-2000:]}")
    return {"seconds": time.monotonic() - started, "cpu_s": usage.ru_utime + usage.ru_stime,
            "resident_bytes": usage.ru_maxrss * 1024}, text


class ImportDump(section.Section):
    name = "import"
    title = "Import"
    full = {"rows": 5_000_000, "mariadb_rows": 1_000_000, "rounds": 2, "keys": 100_000, "connections": 50, "rate": 50_000,
            "import_rate": 200_000, "beside_rounds": 5, "seconds": 10.0, "warmup": 0.5}
    quick = {"rows": 100_000, "mariadb_rows": 100_000, "rounds": 1, "keys": 10_000, "connections": 50, "rate": 20_000,
             "import_rate": 50_000, "beside_rounds": 1, "seconds": 1.5, "warmup": 0.2}
    runs = ("plain", "again", "other", "zst", "gz")

    def measure(self, run, p):
        directory = os.path.join(run.build_dir, "bench", "dumps")
        os.makedirs(directory, exist_ok=True)
        try:
            return self._measure(run, p, directory)
        finally:
            shutil.rmtree(directory)

    def _measure(self, run, p, directory):
        paths = {name: os.path.join(directory, name) for name in
                 ("dump.sql", "other.sql", "mariadb.sql", "dump.resp", "dump.sql.gz", "dump.sql.zst")}
        dumps.write_sql(paths["dump.sql"], p["rows"], seed=1)
        dumps.write_sql(paths["other.sql"], p["rows"], seed=2)
        dumps.write_sql(paths["mariadb.sql"], p["mariadb_rows"], seed=1)
        dumps.write_redis(paths["dump.resp"], p["rows"], seed=1)
        for program, ending in (("gzip", "gz"), ("zstd", "zst")):
            with open(paths[f"dump.sql.{ending}"], "wb") as packed:
                subprocess.run([program, "-q", "-c", paths["dump.sql"]], check=True, stdout=packed)
        data = {"bytes": os.path.getsize(paths["dump.sql"]), "gunzip": [], "redis": [], "mariadb": [],
                "quiet": [], "busy": [], "crowded": [], **{name: [] for name in self.runs}}
        run.say("the dumps are there")
        for number in range(p["rounds"]):
            self._import(run, data, {"plain": paths["dump.sql"], "again": paths["dump.sql"],
                                     "other": paths["other.sql"]})
            self._import(run, data, {"zst": paths["dump.sql.zst"]})
            self._import(run, data, {"gz": paths["dump.sql.gz"]})
            data["gunzip"].append(_timed(["sh", "-c", f"gzip -dc {paths['dump.sql.gz']} > /dev/null"])[0])
            os.sync()
            redis = run.fleet.start("redis", pin=False)
            timed, text = _timed(["redis-cli", "-p", redis.address.rpartition(":")[2], "--pipe"],
                                 stdin=paths["dump.resp"])
            if b"errors: 0" not in text:
                raise servers.Failed(f"redis-cli --pipe: {text.decode()}")
            data["redis"].append(timed)
            run.fleet.stop(redis)
            with mariadb.MariaDb(os.path.join(directory, "mariadb")) as database:
                data["mariadb"].append(_timed(database.load_command(), stdin=paths["mariadb.sql"])[0])
            run.say(f"round {number + 1} of {p['rounds']} done")
        self._beside(run, p, data, paths["dump.sql"])
        return data

    @staticmethod
    def _tokenctl(run, server, *words):
        return [os.path.join(run.build_dir, "bin", "tokenctl"), "--server", server.address, "--json",
                "import", *words]

    def _import(self, run, data, files):
        """One file after the other into one server."""
        os.sync()  # what others have written is not its to wait for
        server = run.fleet.start("tokend", pin=False, threads=0)
        for name, path in files.items():
            before = server.cpu_seconds()
            timed, text = _timed(self._tokenctl(run, server, path))
            timed["server_cpu_s"] = server.cpu_seconds() - before
            timed["server"] = json.loads(text)["tables"][0]["server"]
            data[name].append(timed)
        run.fleet.stop(server)

    def _beside(self, run, p, data, path):
        """Validates in an open loop, quiet and while rows come at a steady rate."""
        loop = {"keys": p["keys"], "connections": p["connections"]}
        # It sleeps while it waits, so that there is room for tokenctl.
        gen = section.closed_loop(run, loop, depth=64, rate=p["rate"], seconds=p["seconds"],
                                  warmup=p["warmup"])
        for number in range(p["beside_rounds"]):
            for kind, cpu in (("busy", servers.GENERATOR_CPU), ("crowded", servers.SERVER_CPU)):
                server = section.start_loaded(run, gen, "tokend")
                data["quiet"].append(gen.run(server)["validate"]["latency_us"])
                importing = servers.start_process(
                    self._tokenctl(run, server, "--rate", str(p["import_rate"]), path),
                    cpu, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                servers.give_way(importing)
                time.sleep(0.5)  # it is under way
                data[kind].append(gen.run(server)["validate"]["latency_us"])
                importing.terminate()
                importing.wait()
                run.fleet.stop(server)
            run.say(f"beside an import, {number + 1} of {p['beside_rounds']} done")

    @staticmethod
    def _seconds(data, name):
        return [timed["seconds"] for timed in data[name]]

    def _rows(self, p, name):
        return p["mariadb_rows"] if name == "mariadb" else p["rows"]

    def bars(self, data, p):
        plain = self._seconds(data, "plain")
        # As if the others went on at the same rate.
        mariadb = [seconds * p["rows"] / p["mariadb_rows"] for seconds in self._seconds(data, "mariadb")]
        slower = [max(pair) for pair in zip(plain, self._seconds(data, "gunzip"))]
        return [
            figures.Bar("rows/s, plain SQL", 500_000, [p["rows"] / seconds for seconds in plain],
                        at_least=True),
            figures.Bar("speed ÷ `mariadb < dump.sql`", 4,
                        figures.ratios(mariadb, plain), at_least=True),
            figures.Bar("speed ÷ `redis-cli --pipe`", 1,
                        figures.ratios(self._seconds(data, "redis"), plain), at_least=True),
            figures.Bar("`.zst`: speed ÷ plain", 0.9,
                        figures.ratios(plain, self._seconds(data, "zst")), at_least=True),
            figures.Bar("`.gz`: speed ÷ the slower of plain and `gzip -dc`", 0.8,
                        figures.ratios(slower, self._seconds(data, "gz")), at_least=True),
            figures.Bar("memory of tokenctl, MB", 64,
                        [timed["resident_bytes"] / 1e6 for name in self.runs for timed in data[name]]),
            figures.Bar("p99 of validates beside an import ÷ quiet, medians", 2,
                        [figures.middle([latency["p99"] for latency in data["busy"]]) /
                         figures.middle([latency["p99"] for latency in data["quiet"]])]),
        ]

    def body(self, data, p, bars):
        titles = {"plain": "tokend, plain SQL", "again": "tokend, the same once more",
                  "other": "tokend, as many others into the same namespace", "zst": "tokend, `.zst`",
                  "gz": "tokend, `.gz`", "mariadb": "MariaDB, `mariadb < dump.sql`",
                  "redis": "redis-server, `redis-cli --pipe`, nothing on disk",
                  "gunzip": "`gzip -dc` alone"}
        rows = []
        for name, title in titles.items():
            seconds = self._seconds(data, name)
            timed = data[name]
            server_us = [one["server_cpu_s"] / p["rows"] * 1e6 for one in timed if "server_cpu_s" in one]
            rows.append([title, figures.spread(seconds, 1),
                         figures.number(self._rows(p, name) / figures.middle(seconds) / 1e3, 0),
                         figures.number(figures.middle([one["cpu_s"] for one in timed]) /
                                        self._rows(p, name) * 1e6, 2),
                         figures.number(figures.middle(server_us), 2) if server_us else ""])
        latency = [[title] + [figures.spread([one[q] for one in data[kind]], 0)
                              for q in ("p50", "p99", "p999")]
                   for kind, title in (("quiet", "quiet"), ("busy", "beside an import"),
                                       ("crowded", "tokenctl on the server's CPU, too"))]
        return f"""
A dump of {p['rows']:,} rows of `api_token`, {data['bytes'] / 1e6:,.0f} MB of SQL, two in five without expiry and three in twenty
expired; the server on all CPUs with its settings as they are, the client beside it; until the import has ended and all
of it is on the disk. {p['rounds']} rounds, each with new servers, in turn. Redis gets the tokens that have not expired, digest and
account, made beforehand; it and MariaDB are as their packages deliver them, but for Redis's snapshots. MariaDB gets the
first {p['mariadb_rows']:,} rows alone, which favours it: the indexes of all of them would not fit into its buffer pool.

{bars}

{figures.table(["", "seconds (min – max)", "thousand rows/s", "client's CPU, µs a row", "server's CPU, µs a row"], rows)}

Validates of {p['keys']:,} live tokens, {p['rate']:,} a second in an open loop over {p['connections']} connections, while {p['import_rate']:,} rows a
second are imported (`--rate`), {p['beside_rounds']} rounds of each: the server, one loop, on CPU 0, its clients, which are the generator and tokenctl,
on CPU 1. The generator goes before tokenctl there: what it waits for is to be the server.

{figures.table(["", "p50, µs (min – max)", "p99, µs", "p99.9, µs"], latency)}
"""
