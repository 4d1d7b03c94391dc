#!/usr/bin/env python3
"""The scripts of bench/: what they make of figures, without a server.

Usage: bench_scripts_test.py BENCH_DIR
"""

import sys
import unittest
import xml.etree.ElementTree

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv.pop(1))

import charts  # noqa: E402
import svg  # noqa: E402


class Pictures(unittest.TestCase):
    def check(self, picture):
        """Well-formed; every text within the card, and none upon another."""
        root = xml.etree.ElementTree.fromstring(picture.svg())
        self.assertEqual(root.tag, "{http://www.w3.org/2000/svg}svg")
        for left, top, right, bottom, text in picture.boxes:
            self.assertTrue(0 <= left and right <= picture.width and 0 <= top
                            and bottom <= picture.height, text)
        for index, one in enumerate(picture.boxes):
            for other in picture.boxes[:index]:
                apart = (one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1]
                         or other[3] <= one[1])
                self.assertTrue(apart, f"{one[4]!r} is upon {other[4]!r}")

    def setUp(self):
        # Charts give the finished text; the picture that made it has the boxes.
        self.pictures = []
        original = svg.Picture.__init__

        def remember(picture, *args, **options):
            self.pictures.append(picture)
            original(picture, *args, **options)
        svg.Picture.__init__ = remember
        self.addCleanup(setattr, svg.Picture, "__init__", original)

    def tearDown(self):
        self.assertTrue(self.pictures)
        for picture in self.pictures:
            self.check(picture)

    def test_bars(self):
        charts.bar_panels("CPU <&>", "ns", [
            (f"{depth} in flight", [("floor", "floor (libuv, no work)", 84), ("redis", "redis", 1741),
                                    ("tokend", "tokend", 263.4)]) for depth in (1, 16, 64)],
            lambda value: f"{value:,.0f} ns")

    def test_stacked_bars(self):
        charts.stacked_bars("Memory", "bytes", [
            ("tokend", "tokend, every owner distinct", [(80, "tokens"), (9, "RocksDB")]),
            ("redis", "redis", [(246, "")])], lambda value: f"{value:.0f} bytes")

    def test_labels_of_curves_that_end_together_move_apart(self):
        same = [(1000, 20), (100000, 40)]
        charts.rate_panels("Latency", "", [
            (title, [(name, name, [*same, end], is_crossed) for name in ("floor", "redis", "tokend")])
            for title, end, is_crossed in (("p50", (1000000, 50), False),
                                           ("p99", (1000000, 10**9), True))],
            svg.Log(1000, 1000000), svg.Log(10, 30000, between=(3,)), "validates/s")

    def test_timelines_with_gaps(self):
        curve = [(0, 20), (1, 30), (1, None), (2, 25), (3, 24), (3, None)]
        charts.timelines("Growth", "", [
            ("p99", svg.Log(10, 10000), charts.microseconds,
             [("tokend", "growing", curve), ("floor", "quiet", curve)], 190),
            ("memory", svg.Linear(0, 917), svg.short, [("tokend", "917 MB", [(0, 1), (3, 917)])], 130)],
            svg.Linear(0, 3), "seconds", [(1, 2)], "growing")


if __name__ == "__main__":
    unittest.main()
