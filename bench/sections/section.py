"""What a section of the comparison is."""

import time

import generator


class Section:
    """Measures, and makes of what it measured a piece of docs/performance.md.

    `full` and `quick` are its sizes, by name. What measure() gives goes to JSON and back, and the rest
    is made of that alone, so that the page can be written anew without measuring.
    """

    name = ""
    title = ""
    full = {}
    quick = {}

    def measure(self, run, p):
        """The raw data. run.fleet starts servers, run.servers are those that are wanted."""
        raise NotImplementedError

    def bars(self, data, p):
        return []

    def body(self, data, p, bars):
        """Markdown. `bars` is the table of bars with a sentence on them, to be put where it fits."""
        raise NotImplementedError

    def pictures(self, data, p):
        """{name: SVG}"""
        return {}


def now_ms():
    return int(time.time() * 1000)


def closed_loop(run, p, *, pin=True, **more):
    """A generator with the sizes that most sections share. One base for all expiries: a run that
    asks has to know what the one that loaded had."""
    return generator.Generator(run.build_dir, pin=pin, keys=p["keys"], connections=p["connections"],
                               seed=1, expires_base=now_ms(), **more)


def start_loaded(run, gen, name, **options):
    """A server with its tokens, at rest, on its CPU. It is loaded on all CPUs, which is quicker."""
    keys = options.pop("keys", None)
    distinct_owners = options.pop("distinct_owners", None)
    server = run.fleet.start(name, pin=False, **options)
    server.empty_bytes = server.resident_bytes()
    if name != "floor":
        more = {} if keys is None else {"keys": keys}
        server.load = gen.load(server, distinct_owners=distinct_owners, **more)
        server.settle()
    server.pin()
    run.say(f"{name} is up")
    return server


def conditions(p, transport="TCP over loopback"):
    return (f"{transport}, {p['connections']} connections, {p['keys']:,} live tokens of 43 bytes, "
            f"uniformly random, every answer checked. One loop; server on CPU 0, generator on CPU 1.")


def thread_ns(result, prefix):
    """CPU time of the server's threads of that name in a run; None if the server names none so."""
    found = [ns for name, ns in result.get("server_threads_ns", {}).items()
             if name == prefix or name.startswith(prefix + "-")]
    return sum(found) if found else None


def sleep_until(unix_seconds):
    time.sleep(max(0.0, unix_seconds - time.time()))


def whole_intervals(timeline, milliseconds):
    """[(the middle of the interval in seconds, its entry)], without those in which nothing was asked
    and without a last one that was cut short."""
    return [((entry["t_ms"] - milliseconds / 2) / 1000, entry) for entry in timeline
            if entry["answers"] and entry["t_ms"] % milliseconds == 0]
