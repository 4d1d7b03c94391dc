"""Runs tokend-bench, the load generator, against a server, and reads what it says."""

import functools
import json
import os
import subprocess

import servers


def _program(build_dir):
    return os.path.join(build_dir, "bin", "tokend-bench")


@functools.lru_cache(maxsize=None)
def has_option(build_dir, option):
    """Whether this tokend-bench knows an option."""
    return option in subprocess.run([_program(build_dir), "--help"], stdin=subprocess.DEVNULL,
                                    capture_output=True, text=True, check=False).stdout


class Generator:
    """tokend-bench with what all runs of a section have in common.

    Options are keywords: keys=5 is --keys 5, spin=True is --spin, and one that is None is left out.
    """

    def __init__(self, build_dir, *, pin=True, **common):
        self.build_dir = build_dir
        self._cpu = servers.GENERATOR_CPU if pin else None
        self._common = common

    def run(self, server, **options):
        """The JSON object of one run. A wrong answer, or none at all, is Failed."""
        command = [_program(self.build_dir), "--json", "--protocol", server.protocol, "--address",
                   server.address, "--server-pid", str(server.pid)]
        if server.address.startswith("tls:"):
            command += ["--tls-ca-file", server.tls_ca_file]
        settings = {**self._common, **options}
        if "expires_from" in settings:
            settings.pop("expires_base", None)  # the two exclude each other
        for name, value in settings.items():
            if value is None or value is False:
                continue
            command.append("--" + name.replace("_", "-"))
            if value is not True:
                command.append(f"{value:.6f}".rstrip("0").rstrip(".") if isinstance(value, float) else
                               str(value))
        process = servers.start_process(command, self._cpu, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        try:
            out, error = process.communicate()
        except BaseException:
            process.kill()
            process.wait()
            raise
        if process.returncode != 0:
            raise servers.Failed(f"{server.name} failed: {' '.join(command)}\n{out[-2000:]}{error}")
        return json.loads(out)

    def load(self, server, **options):
        """Stores tokens; what loading cost."""
        return self.run(server, load=True, seconds=0, **options)["load"]
