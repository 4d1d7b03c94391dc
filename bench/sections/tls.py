"""validate over TLS against plain TCP, beside redis-server with TLS."""

import os
import re
import subprocess
import tempfile
import types

import figures
import servers
from sections import section

DEPTHS = (1, 16)
KINDS = ("plain", "TLS")


def _make_certificate(directory):
    """A certificate of its own for 127.0.0.1: its path and its key's."""
    certificate, key = os.path.join(directory, "server.pem"), os.path.join(directory, "server.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-days", "2", "-subj", "/CN=tokend-bench", "-addext",
                    "subjectAltName=IP:127.0.0.1", "-out", certificate, "-keyout", key],
                   check=True, stdin=subprocess.DEVNULL, capture_output=True)
    return certificate, key


def _handshakes(address, server, seconds, *flags):
    """The server's CPU in µs for each of the connections that openssl makes one after another."""
    before = server.cpu_seconds()
    command = ["openssl", "s_time", "-connect", address, "-time", str(seconds), *flags]
    process = servers.start_process(command, servers.GENERATOR_CPU, stdout=subprocess.PIPE,
                                    stderr=subprocess.DEVNULL, text=True)
    text = process.communicate()[0]
    found = re.search(r"(\d+) connections in \d+ real seconds", text)
    if not found or int(found[1]) == 0:
        raise servers.Failed(f"no handshakes: {' '.join(command)}\n{text[-1000:]}")
    return (server.cpu_seconds() - before) * 1e6 / int(found[1])


class Tls(section.Section):
    name = "tls"
    title = "TLS"
    full = {"keys": 1_000_000, "connections": 50, "rounds": 7, "seconds": 3.0, "warmup": 0.5,
            "handshake_seconds": 3}
    quick = {"keys": 50_000, "connections": 50, "rounds": 1, "seconds": 0.7, "warmup": 0.2,
             "handshake_seconds": 1}

    def measure(self, run, p):
        with tempfile.TemporaryDirectory(prefix="tokend-bench-") as directory:
            return self._measure(run, p, *_make_certificate(directory))

    def _measure(self, run, p, certificate, key):
        gen = section.closed_loop(run, p, seconds=p["seconds"], warmup=p["warmup"])
        ports = {name: f"127.0.0.1:{servers.free_port()}" for name in ("tokend", "redis")}
        flags = {"tokend": ["--listen-tls", ports["tokend"], "--tls-certificate-file", certificate,
                            "--tls-key-file", key],
                 "redis": ["--tls-port", ports["redis"].rpartition(":")[2], "--tls-cert-file", certificate,
                           "--tls-key-file", key, "--tls-ca-cert-file", certificate,
                           "--tls-auth-clients", "no"]}
        fleet = {name: section.start_loaded(run, gen, name, flags=flags[name])
                 for name in ("tokend", "redis") if name in run.servers}
        asked = {f"{name}, {kind}":
                 server if kind == "plain" else types.SimpleNamespace(
                     name=name, protocol=server.protocol, pid=server.pid,
                     address=f"tls:{ports[name]}", tls_ca_file=certificate)
                 for name, server in fleet.items() for kind in KINDS}
        data = {"runs": {name: {str(depth): [] for depth in DEPTHS} for name in asked},
                "handshakes_us": {}}
        for number in range(1, p["rounds"] + 1):
            for depth in DEPTHS:
                for name, server in asked.items():
                    data["runs"][name][str(depth)].append(gen.run(server, depth=depth)["validate"])
            run.say(f"round {number} of {p['rounds']} done")
        for name, server in fleet.items():
            data["handshakes_us"][name] = {
                "full": _handshakes(ports[name], server, p["handshake_seconds"], "-new"),
                # Of TLS 1.2, since s_time waits for no ticket after a handshake of 1.3.
                "resumed": _handshakes(ports[name], server, p["handshake_seconds"], "-reuse", "-tls1_2")}
        return data

    @staticmethod
    def _ns(data, name, depth):
        return [run["server_ns"] for run in data["runs"].get(name, {}).get(str(depth), [])]

    def _cost(self, data, name, depth):
        return figures.ratios(self._ns(data, f"{name}, TLS", depth), self._ns(data, f"{name}, plain", depth))

    def bars(self, data, p):
        return [figures.Bar("CPU of `validate` at depth 16, over TLS ÷ plain", 2.0,
                            self._cost(data, "tokend", 16))]

    def body(self, data, p, bars):
        rows = []
        for name, runs in data["runs"].items():
            rows.append([servers.TITLES[name.partition(",")[0]] + "," + name.partition(",")[2]] +
                        [cell for depth in DEPTHS for cell in
                         (figures.spread([run["per_second"] / 1e3 for run in runs[str(depth)]], 0),
                          figures.spread(self._ns(data, name, depth), 0))])
        handshakes = [[servers.TITLES[name], figures.number(us["full"], 0), figures.number(us["resumed"], 0)]
                      for name, us in data["handshakes_us"].items()]
        redis = self._cost(data, "redis", 16)
        beside = (f" redis-server pays {figures.middle(redis):.2f} times its plain CPU there, and "
                  f"{figures.middle(self._ns(data, 'redis, TLS', 16)) / figures.middle(self._ns(data, 'tokend, TLS', 16)):.1f} "
                  "times tokend's over TLS." if redis else "")
        return f"""
{section.conditions(p)} TLS 1.3, AES-256-GCM, a P-256 certificate; requests that go out together are one record.
{p['rounds']} rounds of {p['seconds']:g} s in turn.

{bars}{beside}

{figures.table(["", "depth 1: thousand/s", "its CPU, ns", "depth 16: thousand/s", "its CPU, ns"], rows)}

What a new connection costs the server, in µs of CPU (`openssl s_time`; resumed: TLS 1.2 with a ticket):

{figures.table(["", "full handshake", "resumed"], handshakes)}
"""
