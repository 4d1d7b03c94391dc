#!/usr/bin/env python3
"""tokenctl top against a real server, in a pipe and on a terminal, which it leaves as it was.

Usage: top_test.py TOKEND TOKENCTL
"""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import unittest

from server_under_test import PATIENCE_SECONDS, Server

TOKEND, TOKENCTL = (os.path.abspath(path) for path in sys.argv[1:3])
ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"


def top(server, *args):
    return [TOKENCTL, "--server", "unix:" + server.unix_path(), "top", *args]


def loaded(directory=None):
    """A server that has nothing to load any more."""
    server = Server(TOKEND, directory=directory)
    server.log_when(" loaded ")
    return server


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, *command, columns=80, rows=40, term="xterm"):
        self.seen = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            # Nothing is drawn before the terminal has its size.
            os.read(0, 1)
            os.execvpe(command[0], command, {**os.environ, "TERM": term})
        self.before = termios.tcgetattr(self.fd)
        self.resize(columns, rows)
        os.write(self.fd, b"\n")

    def resize(self, columns, rows):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def read_until(self, pattern):
        """What came up to the end of the pattern; it is taken away."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            found = re.search(pattern, self.seen)
            if found:
                taken, self.seen = self.seen[:found.end()], self.seen[found.end():]
                return taken
            if time.monotonic() > deadline or not self._read():
                raise AssertionError(f"no {pattern!r} at the end of {self.seen[-4000:]!r}")

    def end(self):
        """The wait status and what came before."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._read() and time.monotonic() < deadline:
            pass
        _, status = os.waitpid(self.pid, 0)
        self.pid = None
        return status, self.seen

    def _read(self):
        if not select.select([self.fd], [], [], 1)[0]:
            return True
        try:
            got = os.read(self.fd, 65536)
        except OSError:  # nobody has the terminal any more
            return False
        self.seen += got.decode()
        return got != b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.pid is not None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


class InAPipe(unittest.TestCase):
    def test_each_interval_is_a_line_under_the_titles(self):
        with loaded() as server:
            done = subprocess.run(top(server, "--interval", "100ms", "--count", "3"), capture_output=True, text=True,
                                  check=False, timeout=PATIENCE_SECONDS)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            titles, *rows = [line.split() for line in done.stdout.splitlines()]
            self.assertEqual(len(rows), 3)
            for row in rows:
                values = dict(zip(titles, row, strict=True))
                self.assertEqual(values["STATE"], "ready")
                self.assertGreater(float(values["REQUESTS/S"]), 0)
                self.assertRegex(values["TURN_P99_US"], r"^(<=|>)\d+$")

    def test_json_counts_what_was_asked(self):
        with loaded() as server:
            with subprocess.Popen(top(server, "--json", "--interval", "200ms"), stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, text=True) as watch:
                self.assertEqual(json.loads(watch.stdout.readline())["state"], "ready")
                subprocess.run([TOKENCTL, "--server", "unix:" + server.unix_path(), "validate", "-"],
                               input="nobody-has-this\nnor-this\n", text=True, stdout=subprocess.DEVNULL,
                               check=False)
                unknown = 0
                while unknown < 2:
                    rates = json.loads(watch.stdout.readline())["per_second"]
                    unknown += round(rates["validate"]["unknown"] * rates["interval_ms"] / 1000)
                self.assertEqual(unknown, 2)
                # It ends with the server.
                server.stop(signal.SIGKILL)
                *_, last = watch.stdout.read().splitlines()
                self.assertEqual(json.loads(last)["error"]["code"], "unreachable")
                self.assertEqual(watch.wait(PATIENCE_SECONDS), 1)

    def test_who_reads_no_more_ends_it(self):
        with loaded() as server:
            with subprocess.Popen(top(server, "--interval", "100ms"), stdout=subprocess.PIPE, text=True) as watch:
                watch.stdout.readline()
                watch.stdout.close()
                self.assertNotEqual(watch.wait(PATIENCE_SECONDS), 0)


class OnATerminal(unittest.TestCase):
    def assert_restored(self, terminal):
        status, seen = terminal.end()
        self.assertTrue(seen.endswith(LEAVE), repr(seen[-200:]))
        self.assertEqual(termios.tcgetattr(terminal.fd), terminal.before)
        return status

    def test_q_ends_it_and_the_terminal_is_as_before(self):
        with loaded() as server, Terminal(*top(server, "--interval", "100ms")) as terminal:
            terminal.read_until(re.escape(ENTER))
            terminal.read_until("memory ")
            self.assertNotEqual(termios.tcgetattr(terminal.fd), terminal.before)
            # Drawn over, never cleared.
            again = terminal.read_until(r"(?s)validates/s +0 .*?memory ")
            self.assertIn("\x1b[H", again)
            self.assertNotIn("\x1b[2J", again)
            self.assertNotIn("\x1b[m", again)
            terminal.type("q")
            self.assertEqual(self.assert_restored(terminal), 0)

    def test_the_count_ends_it(self):
        with loaded() as server, \
                Terminal(*top(server, "--interval", "100ms", "--count", "1")) as terminal:
            self.assertEqual(self.assert_restored(terminal), 0)

    def test_signals_end_it_and_the_terminal_is_as_before(self):
        with loaded() as server:
            for sent in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
                with Terminal(*top(server, "--interval", "1h")) as terminal:
                    terminal.read_until("memory ")
                    if sent == signal.SIGINT:
                        terminal.type("\x03")
                    else:
                        os.kill(terminal.pid, sent)
                    self.assertEqual(os.WTERMSIG(self.assert_restored(terminal)), sent)

    def test_it_stops_and_goes_on(self):
        with loaded() as server, Terminal("bash", "--norc", "--noprofile", "-i") as terminal:
            terminal.type(" ".join(top(server, "--interval", "1h")) + "\n")
            terminal.read_until("memory ")
            terminal.type("\x1a")
            terminal.read_until(re.escape(LEAVE))
            terminal.read_until("Stopped(?s:.*)[$#] ")
            terminal.type("fg\n")
            terminal.read_until(re.escape(ENTER))
            terminal.read_until("memory ")
            terminal.type("q")
            terminal.read_until(re.escape(LEAVE) + "(?s:.*)[$#] ")
            terminal.type("exit 7\n")
            self.assertEqual(os.waitstatus_to_exitcode(terminal.end()[0]), 7)

    def test_it_follows_the_size(self):
        with loaded() as server, Terminal(*top(server, "--interval", "1h")) as terminal:
            terminal.read_until("memory ")
            terminal.resize(20, 5)
            terminal.read_until("\x1b\\[H[^\r\n]{19}…\x1b\\[K\r\n")
            terminal.read_until("more than")
            terminal.type("q")
            self.assertEqual(self.assert_restored(terminal), 0)

    def test_a_server_that_goes_and_comes(self):
        with loaded() as first:
            with Terminal(*top(first, "--interval", "100ms")) as terminal:
                terminal.read_until("ready, up")
                first.stop(signal.SIGKILL)
                terminal.read_until("cannot reach .*\r\ntrying again")
                with loaded(first.directory) as second:
                    # It may be loading still.
                    terminal.read_until(r"(ready|loading), up 00:00:0\d, restarted")
                    terminal.read_until(r"validates/s +0 ")
                    terminal.type("q")
                    self.assertEqual(self.assert_restored(terminal), 0)
                    self.assertEqual(second.stop(), 0)

    def test_a_terminal_without_a_cursor_gets_lines(self):
        with loaded() as server:
            for term in ("dumb", ""):
                command = top(server, "--interval", "100ms", "--count", "2")
                with Terminal(*command, term=term) as terminal:
                    status, seen = terminal.end()
                    self.assertEqual(status, 0)
                    self.assertEqual(seen.count("ready"), 2)
                    self.assertNotIn("\x1b", seen)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
