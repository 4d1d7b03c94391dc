#!/usr/bin/env python3
"""What the program tells the service manager that starts it: readiness, reloads, its end, and that its
loops turn.

Usage: service_notify_client_test.py TOKEND
"""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from server_under_test import PATIENCE_SECONDS, Server

WATCHDOG_SECONDS = 1.0
PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT, WAIT_ALL = 17, 0x4206, 0x4207, 0x40000000


class Manager:
    """The socket of a service manager."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)

    def next(self, seconds=PATIENCE_SECONDS):
        """The lines of the next message, or None if none comes within that time."""
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(4096).decode().split("\n")
        except (socket.timeout, BlockingIOError):
            return None

    def close(self):
        self.socket.close()


def ptrace(request, thread):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    if libc.ptrace(request, thread, None, None) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def thread_id(pid, name):
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/comm", encoding="utf-8") as comm:
            if comm.read().strip() == name:
                return int(thread)
    raise AssertionError(f"no thread {name}")


class ServiceNotifyTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="tokend-test-")
        self.addCleanup(directory.cleanup)
        self.manager = Manager(directory.name)
        self.addCleanup(self.manager.close)

    def start(self, *args, **environment):
        return Server(sys.argv[1], *args, environment={"NOTIFY_SOCKET": self.manager.path, **environment})

    @contextlib.contextmanager
    def stopped_thread(self, pid, name):
        """Holds one thread of another process, as a bug would; the others go on."""
        thread = thread_id(pid, name)
        try:
            ptrace(PTRACE_SEIZE, thread)
        except PermissionError:
            self.skipTest("nobody may stop a thread here")
        ptrace(PTRACE_INTERRUPT, thread)
        os.waitpid(thread, WAIT_ALL)
        try:
            yield
        finally:
            ptrace(PTRACE_DETACH, thread)

    def test_it_tells_of_its_life(self):
        with self.start() as server:
            self.assertEqual(self.manager.next(), ["STATUS=opening the store"])
            self.assertEqual(self.manager.next(), ["READY=1"])
            # From here on it answers, and so it is asked.
            with socket.create_connection(server.address("rpc"), PATIENCE_SECONDS) as client:
                client.sendall(b"\x94\x00\x01\xa4ping\x90")
                self.assertEqual(client.recv(100)[:3], b"\x94\x01\x01")
            while (lines := self.manager.next()) != ["STATUS=ready"]:
                self.assertRegex(lines[0], "^STATUS=loading")

            before_us = time.monotonic_ns() // 1000
            server.process.send_signal(signal.SIGHUP)
            reloading, monotonic_us = self.manager.next()
            self.assertEqual(reloading, "RELOADING=1")
            self.assertEqual(self.manager.next(), ["READY=1"])
            sent_us = int(monotonic_us.removeprefix("MONOTONIC_USEC="))
            self.assertTrue(before_us <= sent_us <= time.monotonic_ns() // 1000)
            server.log_when(r"info reloaded ")

            server.process.send_signal(signal.SIGTERM)
            self.assertEqual(self.manager.next(), ["STOPPING=1", "STATUS=stopping"])
            self.assertEqual(server.stop(), 0)
            self.assertIsNone(self.manager.next(0))

    def test_a_reload_that_fails_ends_as_well(self):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as config:
            with self.start("--config", config.name) as server:
                while self.manager.next() != ["STATUS=ready"]:
                    pass
                config.write("nonsense")
                config.flush()
                server.process.send_signal(signal.SIGHUP)
                self.assertEqual(self.manager.next()[0], "RELOADING=1")
                self.assertEqual(self.manager.next(), ["READY=1"])
                server.log_when(r"error reload_failed ")

    def test_a_server_that_cannot_start_is_not_ready(self):
        done = subprocess.run([sys.argv[1], "--data-dir", "/proc/nowhere", "--listen", "off", "--http", "off"],
                              env={**os.environ, "NOTIFY_SOCKET": self.manager.path}, capture_output=True,
                              check=False, timeout=PATIENCE_SECONDS)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(self.manager.next(), ["STATUS=opening the store"])
        self.assertIsNone(self.manager.next(0))

    def test_the_watchdog_is_fed_while_all_loops_turn(self):
        with self.start("--threads", "2", WATCHDOG_USEC=str(int(WATCHDOG_SECONDS * 1e6))) as server:
            while self.manager.next() != ["WATCHDOG=1"]:
                pass
            for _ in range(2):
                self.assertEqual(self.manager.next(), ["WATCHDOG=1"])

            with self.stopped_thread(server.process.pid, "loop-1"):
                while self.manager.next(0) is not None:
                    pass
                # The first look may still have seen it turn.
                fed = 0
                until = time.monotonic() + 2 * WATCHDOG_SECONDS
                while (left := until - time.monotonic()) > 0:
                    fed += self.manager.next(left) is not None
                self.assertLessEqual(fed, 1)
            self.assertEqual(self.manager.next(), ["WATCHDOG=1"])
            self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
