#!/usr/bin/env python3
"""/metrics as Prometheus's own promtool reads it.

Usage: metrics_test.py TOKEND
"""

import re
import subprocess
import sys
import unittest
import urllib.request

from server_under_test import Server


class MetricsTest(unittest.TestCase):
    def test_promtool_finds_nothing_to_say(self):
        with Server(sys.argv[1]) as server:
            server.log_when(" loaded ")
            base = "http://%s:%d" % server.address("http")
            for path in ("/livez", "/readyz"):
                urllib.request.urlopen(base + path, timeout=60).close()
            with urllib.request.urlopen(base + "/metrics", timeout=60) as answer:
                self.assertEqual(answer.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
                text = answer.read().decode()
            done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True,
                                  check=False)
            self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))
            samples = dict(re.findall(r"^(tokend_[^ ]+) ([^ ]+)$", text, re.M))
            self.assertEqual(samples['tokend_state{state="ready"}'], "1")
            self.assertEqual(samples['tokend_state{state="loading"}'], "0")
            self.assertEqual(samples["tokend_http_requests_total"], "3")
            self.assertEqual(samples['tokend_loop_turn_cpu_seconds_bucket{le="+Inf"}'],
                             samples["tokend_loop_turn_cpu_seconds_count"])
            self.assertEqual(samples['tokend_validate_seconds_bucket{le="+Inf"}'], "0")
            self.assertEqual(samples['tokend_tokens_by_state{state="live"}'], "0")
            self.assertEqual(samples['tokend_tokens_expiring{namespace="default",within="1h"}'], "0")
            self.assertEqual(samples["tokend_rocksdb_write_stalled"], "0")
            self.assertLess(float(samples["tokend_wheel_lag_seconds"]), 60)
            self.assertGreater(float(samples["tokend_rocksdb_memtable_bytes"]), 0)
            self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
