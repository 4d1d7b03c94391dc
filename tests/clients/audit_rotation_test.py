#!/usr/bin/env python3
"""The audit log under logrotate, as the package has it set up: while a server writes to it, and after it was killed, no
line is missing or there twice, and tokenctl says so.

Usage: audit_rotation_test.py TOKEND TOKENCTL
"""

import gzip
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from server_under_test import PATIENCE_SECONDS, Server

PROGRAM, TOKENCTL = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
PACKAGED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../deploy/logrotate/tokend")
LOGROTATE = "/usr/sbin/logrotate"


class AuditRotationTest(unittest.TestCase):
    def setUp(self):
        self.directory = self.enterContext(tempfile.TemporaryDirectory(prefix="tokend-test-"))
        self.audit = os.path.join(self.directory, "audit.jsonl")

    def start(self):
        run = os.path.join(self.directory, "run")
        os.makedirs(run, exist_ok=True)
        return Server(PROGRAM, "--audit-file", self.audit, directory=run)

    def tokenctl(self, server, *args, given=None):
        return subprocess.run([TOKENCTL, "--server", "%s:%d" % server.address("rpc"), *args], input=given,
                              capture_output=True, check=False, timeout=PATIENCE_SECONDS)

    def insert(self, server, names):
        done = self.tokenctl(server, "insert", "--token-file", "-", given="\n".join(names).encode())
        self.assertEqual(done.returncode, 0, done.stderr)

    def rotate(self, server):
        """By the packaged configuration, with the file and the server of this test in it."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while os.path.getsize(self.audit) == 0:  # which logrotate leaves alone
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        with open(PACKAGED, encoding="ascii") as file:
            text = file.read()
        kill = "systemctl kill --kill-who=main --signal=HUP tokend.service 2> /dev/null || true"
        self.assertIn(kill, text)
        text = text.replace(kill, f"kill -HUP {server.process.pid}").replace("/var/log/tokend/audit.jsonl", self.audit)
        path = os.path.join(self.directory, "logrotate.conf")
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(path, 0o644)
        subprocess.run([LOGROTATE, "--force", "--state", os.path.join(self.directory, "state"), path], check=True,
                       timeout=PATIENCE_SECONDS)

    def test_no_line_is_missing_or_there_twice(self):
        with self.start() as server:
            writer = threading.Thread(target=lambda: [
                self.insert(server, [f"t-{i}-{j}" for j in range(20)]) for i in range(40)])
            writer.start()
            for _ in range(2):
                reloads = server.log().count("reloaded")
                self.insert(server, [f"before-{reloads}"])
                self.rotate(server)
                server.log_when(r"(?s)" + r"reloaded.*" * (reloads + 1))
            writer.join()
            self.insert(server, ["last"])
            server.stop(signal.SIGKILL)
        with self.start() as server:
            self.insert(server, ["after"])
            self.assertEqual(server.stop(), 0)
            with gzip.open(self.audit + ".2.gz") as file:
                oldest = file.read()
            done = self.tokenctl(server, "audit", "verify", "-", self.audit + ".1", self.audit, "--json", given=oldest)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(json.loads(done.stdout)["first"], 1)
            inserted = []
            for text in (oldest.decode(), *(open(path, encoding="ascii").read() for path in (self.audit + ".1", self.audit))):
                lines = [json.loads(line) for line in text.splitlines()]
                self.assertGreater(len(lines), 0)
                inserted += [line["id"] for line in lines if line["op"] == "insert"]
            self.assertEqual(len(inserted), 40 * 20 + 2 + 2)
            self.assertEqual(len(set(inserted)), len(inserted))

    def test_a_sighup_with_wrong_settings_lets_go_of_the_old_file_all_the_same(self):
        config = os.path.join(self.directory, "tokend.toml")
        with open(config, "w", encoding="ascii") as file:
            file.write("")
        run = os.path.join(self.directory, "run")
        os.makedirs(run)
        with Server(PROGRAM, "--audit-file", self.audit, "--config", config, directory=run) as server:
            self.insert(server, ["one"])
            with open(config, "w", encoding="ascii") as file:
                file.write("no_such_setting = 1\n")
            self.rotate(server)
            server.log_when("reload_failed")
            self.insert(server, ["two"])
            self.assertEqual(server.stop(), 0)
            with open(self.audit, encoding="ascii") as file:
                self.assertEqual([json.loads(line)["op"] for line in file], ["insert"])

    def test_altered_or_cut_it_does_not_pass(self):
        with self.start() as server:
            self.insert(server, [f"t{i}" for i in range(5)])
            self.assertEqual(server.stop(), 0)
        with self.start() as server:
            whole = self.tokenctl(server, "audit", "verify", self.audit, "--live")
            self.assertEqual(whole.returncode, 0, whole.stderr)
            with open(self.audit, encoding="ascii") as file:
                lines = file.readlines()
            for wrong, said in ((lines[:2] + lines[3:], "line 3 is missing"), (lines[:-1], "knows of line"),
                                ([line.replace("insert", "revoke", 1) for line in lines], "altered")):
                path = os.path.join(self.directory, "wrong.jsonl")
                with open(path, "w", encoding="ascii") as file:
                    file.writelines(wrong)
                done = self.tokenctl(server, "audit", "verify", path, "--live")
                self.assertEqual(done.returncode, 1, said)
                self.assertIn(said, done.stderr.decode())
            self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
