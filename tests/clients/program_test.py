#!/usr/bin/env python3
"""The tokend program from outside: command line, environment, signals, exit status, log.

Usage: program_test.py TOKEND
"""

import json
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import unittest
import urllib.request

from server_under_test import PATIENCE_SECONDS, Server

PROGRAM = os.path.abspath(sys.argv.pop(1))


def run(*args, environment=None, directory=None):
    """The program, which must end by itself: (exit status, stdout, stderr)."""
    done = subprocess.run([PROGRAM, *args], capture_output=True, text=True, check=False,
                          timeout=PATIENCE_SECONDS, stdin=subprocess.DEVNULL, cwd=directory,
                          env={**os.environ, **(environment or {})})
    return done.returncode, done.stdout, done.stderr


class CommandLine(unittest.TestCase):
    def test_help_lists_every_setting_with_its_default(self):
        status, out, err = run("--help")
        self.assertEqual((status, err), (0, ""))
        for text in ("--config FILE", "--data-dir", "[./data]", "--listen", "[127.0.0.1:7717]",
                     "--unix", "--http", "[127.0.0.1:7718]", "--threads", "--log-level",
                     "--check-config", "--version", "TOKEND_LOG_LEVEL"):
            self.assertIn(text, out)

    def test_no_core_is_dumped_unless_it_is_wanted(self):
        limits = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (limits[1], limits[1]))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_CORE, limits)
        wanted = "unlimited" if limits[1] == resource.RLIM_INFINITY else str(limits[1])
        for setting, limit in (("off", "0"), ("on", wanted)):
            # A sanitizer would forbid them by itself.
            sanitizer = os.environ.get("ASAN_OPTIONS", "") + ":disable_coredump=0"
            with Server(PROGRAM, environment={"TOKEND_CORE_DUMPS": setting, "ASAN_OPTIONS": sanitizer}) as server:
                with open(f"/proc/{server.process.pid}/limits", encoding="ascii") as file:
                    line = next(line for line in file if line.startswith("Max core file size"))
                self.assertEqual(line.split()[4], limit)
                self.assertEqual(server.stop(), 0)

    def test_version(self):
        status, out, err = run("--version")
        self.assertEqual((status, err), (0, ""))
        self.assertRegex(out, r"^tokend \d+\.\d+\.\d+\n$")

    def test_check_config_prints_the_effective_settings_and_touches_nothing(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "tokend.toml")
            with open(path, "w", encoding="utf-8") as file:
                file.write("threads = 1\nmany_max = 2\nlog_level = 'error'\n")
            status, out, err = run("--config", path, "--check-config", "--threads", "3",
                                   environment={"TOKEND_THREADS": "2", "TOKEND_MANY_MAX": "7"},
                                   directory=directory)
            self.assertEqual((status, err), (0, ""))
            for line in ("threads = 3\n", "many_max = 7\n", 'log_level = "error"\n'):
                self.assertIn(line, out)
            self.assertEqual(os.listdir(directory), ["tokend.toml"])

    def test_wrong_settings_end_it_with_2_and_one_line(self):
        for args in (["--threads", "many"], ["--listen", "0.0.0.0:7717"], ["--http", "[::]:80"],
                     ["--listen", "192.0.2.1:1"], ["--config", "/nowhere/tokend.toml"]):
            for more in ([], ["--check-config"]):
                status, out, err = run(*args, *more)
                self.assertEqual((status, out), (2, ""), args)
                self.assertRegex(err, r"^tokend: [^\n]+\n$", args)
        status, _, err = run("--nonsense")
        self.assertEqual(status, 2)
        self.assertIn("--nonsense", err)

    def test_a_data_directory_that_cannot_be_made_ends_it_with_1(self):
        status, _, err = run("--data-dir", "/proc/nowhere", "--listen", "off", "--http", "off")
        self.assertEqual(status, 1)
        self.assertIn("tokend: ", err)
        self.assertIn("/proc/nowhere", err)


class Life(unittest.TestCase):
    def test_sigterm_and_sigint_end_it_with_0(self):
        for sent in (signal.SIGTERM, signal.SIGINT):
            with Server(PROGRAM) as server:
                path = server.unix_path()
                self.assertTrue(stat.S_ISSOCK(os.stat(path).st_mode))
                self.assertEqual(server.stop(sent), 0)
                self.assertIn("info stopped\n", server.log())
                self.assertFalse(os.path.exists(path))

    def test_sigterm_does_not_wait_for_idle_connections(self):
        with Server(PROGRAM) as server:
            with socket.create_connection(server.address("rpc")) as idle:
                idle.settimeout(PATIENCE_SECONDS)
                idle.sendall(b"\x94\x00\x01\xa4ping\x90")
                self.assertEqual(idle.recv(100), b"\x94\x01\x01\xc0\xa4pong")
                self.assertEqual(server.stop(), 0)
                self.assertEqual(idle.recv(100), b"")

    def test_sighup_reads_the_settings_again(self):
        with Server(PROGRAM) as server:
            server.process.send_signal(signal.SIGHUP)
            server.log_when("reloaded")
            with urllib.request.urlopen("http://%s:%d/livez" % server.address("http"),
                                        timeout=PATIENCE_SECONDS) as answer:
                self.assertEqual((answer.status, answer.read()), (200, b"ok\n"))
            self.assertEqual(server.stop(), 0)

    def test_a_killed_server_is_followed_by_one_on_the_same_directory(self):
        with Server(PROGRAM) as first:
            first.stop(signal.SIGKILL)
            self.assertTrue(os.path.exists(first.unix_path()))
            with Server(PROGRAM, directory=first.directory) as second:
                with socket.socket(socket.AF_UNIX) as client:
                    client.connect(second.unix_path())
                    client.sendall(b"\x94\x00\x01\xa4ping\x90")
                    self.assertEqual(client.recv(100), b"\x94\x01\x01\xc0\xa4pong")
                self.assertEqual(second.stop(), 0)

    def test_a_second_server_is_refused_with_a_clear_line(self):
        with Server(PROGRAM) as server:
            status, _, err = run("--data-dir", os.path.join(server.directory, "data"),
                                 "--listen", "off", "--http", "off")
            self.assertEqual(status, 1)
            self.assertRegex(err, r"(?m)^tokend: .*in use")
            host, port = server.address("rpc")
            with tempfile.TemporaryDirectory() as directory:
                status, _, err = run("--data-dir", directory, "--http", "off",
                                     "--listen", f"{host}:{port}")
            self.assertEqual(status, 1)
            self.assertRegex(err, rf"(?m)^tokend: {host}:{port}: in use")

    def test_the_log_may_be_json(self):
        with Server(PROGRAM, "--log-format", "json") as server:
            self.assertEqual(server.stop(), 0)
            lines = [json.loads(line) for line in server.log().splitlines()]
            self.assertIn("start", [line["event"] for line in lines])
            self.assertIn("stopped", [line["event"] for line in lines])
            for line in lines:
                self.assertRegex(line["time"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ$")
                self.assertEqual(line["level"], "info")

    def test_a_name_in_the_environment_that_is_no_setting_is_warned_of(self):
        with Server(PROGRAM, environment={"TOKEND_THREAD": "4"}) as server:
            self.assertIn("warning setting_suspect", server.log())
            self.assertIn("TOKEND_THREAD ", server.log())
            self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
