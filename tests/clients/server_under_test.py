"""Runs the tokend program for a test, on a directory and ports of its own."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

PATIENCE_SECONDS = 60


class Server:
    """The program, started and listening; its log is kept in a file."""

    def __init__(self, program, *args, directory=None, environment=None):
        self.own_directory = directory is None
        self.directory = directory or tempfile.mkdtemp(prefix="tokend-test-")
        self.log_path = os.path.join(self.directory, "log")
        self.command = [program, "--data-dir", os.path.join(self.directory, "data"),
                        "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", *args]
        with open(self.log_path, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **(environment or {})})
        self.log_when(r"listening.*protocol\W+http")

    def log(self):
        with open(self.log_path, encoding="utf-8") as log:
            return log.read()

    def log_when(self, pattern):
        """The log, once it has a line with the pattern."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            ended = self.process.poll() is not None
            log = self.log()
            if re.search(pattern, log):
                return log
            if ended or time.monotonic() > deadline:
                raise AssertionError(f"no {pattern!r} in the log:\n{log}")
            time.sleep(0.01)

    def address(self, protocol):
        """(host, port) of the first TCP listener of the protocol: rpc or http."""
        found = re.search(rf"listening protocol={protocol} address=([0-9.]+):(\d+)\n", self.log())
        return found.group(1), int(found.group(2))

    def unix_path(self):
        return os.path.join(self.directory, "data", "tokend.sock")

    def stop(self, sent=signal.SIGTERM):
        """The exit status."""
        if self.process.poll() is None:
            self.process.send_signal(sent)
        return self.process.wait(PATIENCE_SECONDS)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.own_directory:
            shutil.rmtree(self.directory, ignore_errors=True)
