#!/usr/bin/env python3
"""The alerts, the dashboard and the list of metrics against the /metrics of a real tokend.

Usage: deploy_test.py TOKEND
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
import urllib.request

from server_under_test import Server

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RULES = os.path.join(ROOT, "deploy/prometheus/tokend.rules.yml")
RULES_TEST = os.path.join(ROOT, "deploy/prometheus/tokend.rules.test.yml")
DASHBOARD = os.path.join(ROOT, "deploy/grafana/tokend.json")
METRICS_PAGE = os.path.join(ROOT, "docs/metrics.md")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def named(text):
    """The metrics that an expression names, without what rules have recorded."""
    return set(re.findall(r"(?<![:\w])tokend_\w+(?![\w:])", text))


def samples_of(types):
    """The names that samples have."""
    names = set()
    for name, kind in types.items():
        names |= {name + end for end in ("_bucket", "_sum", "_count")} if kind == "histogram" else {name}
    return names


def promtool(*args):
    done = subprocess.run(["promtool", *args], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


class DeployTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with Server(sys.argv[1]) as server:
            with urllib.request.urlopen("http://%s:%d/metrics" % server.address("http"), timeout=60) as answer:
                text = answer.read().decode()
        cls.types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
        cls.dashboard = json.loads(read(DASHBOARD))
        cls.panels = [panel for panel in cls.dashboard["panels"] if panel["type"] != "row"]

    def test_promtool_takes_the_rules_and_they_fire_as_they_should(self):
        code, said = promtool("check", "rules", RULES)
        self.assertEqual(code, 0, said)
        code, said = promtool("test", "rules", RULES_TEST)
        self.assertEqual(code, 0, said)

    def test_each_alert_says_how_bad_it_is_and_what_to_do_and_is_tested(self):
        alerts = re.split(r"^ +- alert: ", read(RULES), flags=re.M)[1:]
        self.assertGreater(len(alerts), 10)
        for alert in alerts:
            for field in (r"severity: (critical|warning)$", r"summary: \S", r"description: >-$"):
                self.assertRegex(alert, re.compile(r"^ +" + field, re.M))
            self.assertIn(alert.split()[0], read(RULES_TEST))
            self.assertIn(alert.split()[0], read(METRICS_PAGE))

    def test_the_rules_name_metrics_that_are_there(self):
        text = re.sub(r"^ *#.*", "", read(RULES), flags=re.M)
        self.assertEqual(named(text) - samples_of(self.types), set())

    def test_the_dashboard_names_metrics_that_are_there(self):
        text = " ".join(target["expr"] for panel in self.panels for target in panel["targets"])
        self.assertEqual(named(text) - samples_of(self.types), set())
        for variable in self.dashboard["templating"]["list"]:
            self.assertEqual(named(str(variable["query"])) - samples_of(self.types), set())

    def test_prometheus_takes_each_expression_of_the_dashboard(self):
        rules = []
        for panel in self.panels:
            for target in panel["targets"]:
                expr = target["expr"].replace("$__rate_interval", "5m")
                rules.append({"record": "panel:%d:%s" % (panel["id"], target["refId"]), "expr": expr})
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            # JSON is YAML.
            json.dump({"groups": [{"name": "dashboard", "rules": rules}]}, file)
            file.flush()
            code, said = promtool("check", "rules", file.name)
        self.assertEqual(code, 0, said)

    def test_each_panel_has_a_title_a_unit_and_a_place_of_its_own(self):
        taken = {}
        for panel in self.dashboard["panels"]:
            self.assertTrue(panel["title"])
            place = panel["gridPos"]
            self.assertLessEqual(place["x"] + place["w"], 24, panel["title"])
            for x in range(place["x"], place["x"] + place["w"]):
                for y in range(place["y"], place["y"] + place["h"]):
                    self.assertIsNone(taken.setdefault((x, y), None), panel["title"])
                    taken[(x, y)] = panel["title"]
        for panel in self.panels:
            self.assertTrue(panel["description"], panel["title"])
            self.assertTrue(panel["fieldConfig"]["defaults"]["unit"], panel["title"])
            for source in [panel] + panel["targets"]:
                self.assertEqual(source["datasource"], {"type": "prometheus", "uid": "${datasource}"})
        self.assertEqual(len({panel["id"] for panel in self.dashboard["panels"]}), len(self.dashboard["panels"]))
        self.assertEqual(len({panel["title"] for panel in self.panels}), len(self.panels))
        self.assertGreaterEqual(self.dashboard["schemaVersion"], 36)

    def test_the_page_lists_every_metric_with_its_type(self):
        listed = dict(re.findall(r"^\| `(tokend_\w+)(?:\{[^`]*)?` \| (\w+) \|", read(METRICS_PAGE), re.M))
        self.assertEqual(listed, self.types)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
