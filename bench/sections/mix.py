"""Tokens that are unknown or have expired, and revokes among the validates."""

import figures
import stats
from sections import section

EXPIRED_FIRST, REVOKED_FIRST = 10**9, 2 * 10**9
TITLES = {"hits": "hits", "unknown": "unknown tokens", "expired": "expired tokens",
          "revokes": "hits, {ratio:.0%} revokes among them"}


class Mix(section.Section):
    name = "mix"
    title = "Unknown and expired tokens, and revokes"
    full = {"keys": 1_000_000, "connections": 50, "depth": 64, "rounds": 5, "seconds": 3.0,
            "warmup": 0.5, "revoke_ratio": 0.01, "revoke_keys": 400_000}
    quick = {"keys": 50_000, "connections": 50, "depth": 64, "rounds": 2, "seconds": 0.7, "warmup": 0.2,
             "revoke_ratio": 0.01, "revoke_keys": 60_000}

    def measure(self, run, p):
        gen = section.closed_loop(run, p, depth=p["depth"], seconds=p["seconds"], warmup=p["warmup"])
        server = section.start_loaded(run, gen, "tokend")
        run.say("storing tokens to revoke and tokens to expire")
        gen.load(server, first=REVOKED_FIRST, keys=p["revoke_keys"] * p["rounds"])
        expires_from = section.now_ms() + int(2000 * p["keys"] / server.load["per_second"]) + 3000
        expired = {"first": EXPIRED_FIRST, "expires_from": expires_from, "expires_spread": 1000}
        gen.load(server, **expired)
        section.sleep_until(expires_from / 1000 + 4)
        server.settle()
        data = {name: [] for name in TITLES}
        for number in range(p["rounds"]):
            revokes = {"revoke_ratio": p["revoke_ratio"], "revoke_count": p["revoke_keys"],
                       "revoke_first": REVOKED_FIRST + number * p["revoke_keys"]}
            for name, options in (("hits", {}), ("unknown", {"hit_ratio": 0}),
                                  ("expired", {"expect": "expired", **expired}), ("revokes", revokes)):
                before = server.stats()
                result = gen.run(server, **options)["validate"]
                result["requests_per_turn"] = stats.requests_per_turn(before, server.stats())
                data[name].append(result)
            server.settle(10)
            run.say(f"round {number + 1} of {p['rounds']} done")
        return data

    @staticmethod
    def _loop_per_validate(runs):
        """The loop thread's CPU per validate, a round; None if the server does not name its threads."""
        found = [section.thread_ns(run, "loop") for run in runs]
        if None in found:
            return None
        return [ns / run.get("validates", run["tokens"]) for ns, run in zip(found, runs)]

    def bars(self, data, p):
        def cpu(name):
            return [run["server_ns"] for run in data[name]]
        loop, loop_hits = self._loop_per_validate(data["revokes"]), self._loop_per_validate(data["hits"])
        return [
            figures.Bar("unknown tokens, CPU ÷ that of hits", 1.05,
                        figures.ratios(cpu("unknown"), cpu("hits"))),
            figures.Bar("expired tokens, CPU ÷ that of hits", 1.05,
                        figures.ratios(cpu("expired"), cpu("hits"))),
            figures.Bar(f"{p['revoke_ratio']:.0%} revokes, the loop thread's CPU per validate ÷ that of "
                        "hits", 1.05, loop and loop_hits and figures.ratios(loop, loop_hits),
                        why="the server does not name its threads")]

    def body(self, data, p, bars):
        rows = []
        for name, title in TITLES.items():
            runs = data[name]
            loop = self._loop_per_validate(runs)
            rows.append([title.format(ratio=p["revoke_ratio"]), figures.spread([run["server_ns"] for run in runs], 0),
                         figures.spread(loop, 0) if loop else "–",
                         f"{figures.middle([run['per_second'] for run in runs]) / 1e3:,.0f}k",
                         "–" if runs[0]["requests_per_turn"] is None else
                         figures.spread([run["requests_per_turn"] for run in runs], 0)])
        revoked = figures.middle([run["revoked"] / run["seconds"] for run in data["revokes"]])
        return f"""
{p['rounds']} rounds of {p['seconds']:g} s each in turn, closed loop at depth {p['depth']}.
{section.conditions(p)} As many tokens had expired seconds
before they were asked for; their memory was given back by then, so that they are answered like
unknown ones, and how soon that is, `storm` tells. A revoke is answered once it is on disk;
{revoked:,.0f} a second were.

{bars}

{figures.table(["", "server CPU per request, ns (min – max)", "of it the loop's, per validate",
                "requests/s", "requests a turn of the loop"], rows)}

What one turn of the loop handles shares the cost of that turn; in a closed loop, requests that wait
for the disk are missing in it.

{self._threads_text(data)}
"""

    @staticmethod
    def _threads_text(data):
        runs = data["revokes"]
        committer = [section.thread_ns(run, "committer") for run in runs]
        if None in committer:
            return ""
        others = [sum(run["server_threads_ns"].values()) - section.thread_ns(run, "loop") - ns
                  for run, ns in zip(runs, committer)]
        per_revoke = [ns / run["revoked"] for ns, run in zip(committer, runs)]
        others_per_revoke = [ns / run["revoked"] for ns, run in zip(others, runs)]
        return (f"Beside the loop, the Committer takes {figures.spread(per_revoke, 0)} ns of CPU a revoke, "
                f"all other threads {figures.spread(others_per_revoke, 0)} ns; that of whatever they "
                "write behind is in it.")
