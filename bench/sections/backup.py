"""Backups, each a whole copy, under a steady stream of validates."""

import glob
import os
import shutil
import threading
import time

import figures
import stats
from sections import section

TURN_US = 500


class Backups(threading.Thread):
    """One backup after the other while the `with` lasts; the last is waited for. Each finds no
    earlier one, and so copies everything. Earlier ones are removed afterwards: that is work too."""

    def __init__(self, address, directory):
        super().__init__()
        self._server = stats.Tokend(address)
        self._directory = directory
        self._ending = threading.Event()
        self._failed = None
        self.done = []  # (bytes, seconds)

    def run(self):
        try:
            while not self._ending.is_set():
                if os.path.exists(self._directory):
                    os.rename(self._directory, f"{self._directory}.{len(self.done)}")
                started = time.monotonic()
                answer = self._server.ask("backup")
                self.done.append((answer["bytes"], time.monotonic() - started))
        except (stats.Broken, OSError) as error:
            self._failed = error

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._ending.set()
        self.join()
        self._server.close()
        for directory in glob.glob(self._directory + "*"):
            shutil.rmtree(directory)
        if self._failed is not None:
            raise self._failed


class Backup(section.Section):
    name = "backup"
    title = "Backup"
    full = {"keys": 1_000_000, "connections": 50, "rate": 50_000, "rounds": 5, "seconds": 10.0,
            "warmup": 0.5}
    quick = {"keys": 50_000, "connections": 50, "rate": 50_000, "rounds": 2, "seconds": 2.0,
             "warmup": 0.2}

    def measure(self, run, p):
        gen = section.closed_loop(run, p, depth=64, rate=p["rate"], spin=True, seconds=p["seconds"],
                                  warmup=p["warmup"])
        # No usage is written behind meanwhile: windows that it falls into would not compare.
        server = section.start_loaded(run, section.closed_loop(run, p), "tokend",
                                      flags=["--usage-flush-interval-ms", "3600000"])
        directory = os.path.join(server.directory, "data", "backup")
        data = {"quiet": [], "busy": [], "backups": []}
        for number in range(p["rounds"]):
            data["quiet"].append(self._window(gen, server))
            with Backups(server.address, directory) as backups:
                time.sleep(0.1)  # the first is under way
                data["busy"].append(self._window(gen, server))
            data["backups"] += backups.done
            server.settle()
            run.say(f"round {number + 1} of {p['rounds']} done")
        run.fleet.stop(server)
        return data

    @staticmethod
    def _window(gen, server):
        before = server.stats()
        result = gen.run(server)["validate"]
        return {"latency_us": result["latency_us"], "per_second": result["per_second"],
                "turns_above": stats.turns_above(before, server.stats(), TURN_US)}

    @staticmethod
    def _p99(windows):
        return [window["latency_us"]["p99"] for window in windows]

    def bars(self, data, p):
        ratio = figures.middle(self._p99(data["busy"])) / figures.middle(self._p99(data["quiet"]))
        return [figures.Bar("p99 of the windows with a backup ÷ of the quiet ones, medians", 1.5, [ratio])]

    def body(self, data, p, bars):
        rows = []
        for kind, title in (("quiet", "quiet"), ("busy", "with a backup")):
            windows = data[kind]
            rows.append([title, figures.spread([window["latency_us"]["p50"] for window in windows], 0),
                         figures.spread(self._p99(windows), 0),
                         figures.number(max(window["latency_us"]["max"] for window in windows) / 1e3, 1),
                         figures.spread([window["per_second"] / 1e3 for window in windows], 1),
                         str(sum(window["turns_above"] for window in windows))])
        size, seconds = max(data["backups"])
        return f"""
`backup` copies all of the data directory, {size / 1e6:,.0f} MB, in {seconds:,.1f} s (by default 16 MiB/s at most), again and
again, while {p['rate']:,} validates a second go on in an open loop. Windows of {p['seconds']:g} s, quiet and with
backups, alternate: {p['rounds']} of each. {section.conditions(p)} The generator spins. The backup's thread shares
the server's CPU. Usage is counted, and written behind only afterwards.

{bars}

{figures.table(["", "p50, µs (min – max)", "p99, µs (min – max)", "longest, ms", "thousand validates/s",
                "turns > 0.5 ms"], rows)}
"""
