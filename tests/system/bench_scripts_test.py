#!/usr/bin/env python3
"""The scripts of bench/: what they make of figures, without a server.

Usage: bench_scripts_test.py BENCH_DIR
"""

import os
import sys
import tempfile
import unittest
import xml.etree.ElementTree

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv.pop(1))

import charts  # noqa: E402
import figures  # noqa: E402
import regression  # noqa: E402
import report  # noqa: E402
import stats  # noqa: E402
import svg  # noqa: E402
from sections import latency, scale, section, validate  # noqa: E402


class Figures(unittest.TestCase):
    def test_numbers_have_three_digits_that_count(self):
        self.assertEqual([figures.number(v) for v in (0.1234, 1.234, 12.34, 1234.5, None)],
                         ["0.123", "1.23", "12.3", "1,234", "–"])

    def test_a_spread_is_median_and_extremes(self):
        self.assertEqual(figures.spread([3, 1, 2], 0), "2 (1 – 3)")
        self.assertEqual(figures.spread([5], 1), "5.0")
        self.assertEqual(figures.spread([]), "–")

    def test_ratios_are_taken_round_by_round(self):
        self.assertEqual(figures.ratios([2, 9], [1, 3]), [2, 3])

    def test_a_bar_is_met_by_the_median(self):
        self.assertIs(figures.Bar("", 1.1, [1.0, 1.1, 9.0]).is_met, True)
        self.assertIs(figures.Bar("", 1.1, [1.0, 1.101, 9.0]).is_met, False)
        self.assertIs(figures.Bar("", 1.2, [1.0, 1.3, 1.4], at_least=True).is_met, True)
        self.assertIs(figures.Bar("", 0, [1]).is_met, False)
        self.assertIsNone(figures.Bar("", 1, None).is_met)

    def test_what_was_not_measured_or_is_in_doubt_does_not_count(self):
        bars = [figures.Bar("a", 1, [2]), figures.Bar("b", 1, [2], doubt="why"),
                figures.Bar("c", 1, None, why="who knows"), figures.Bar("d", 1, [1])]
        self.assertEqual(figures.bars_sentence(bars), "Of 2 bars that count, 1 are met; missed: a.")
        self.assertIn("does not count here (why); else **missed**", bars[1].row())
        self.assertIn("not measured: who knows", bars[2].row())


class Regression(unittest.TestCase):
    def test_slower_than_the_tolerance_is_told(self):
        lines = regression.compare({16: [1.1, 1.2, 1.3], 64: [2.0]}, {"16": 1.0, "64": 1.9})
        self.assertEqual([is_slower for _, is_slower in lines], [True, False])
        self.assertIn("SLOWER", lines[0][0])


class Page(unittest.TestCase):
    def test_a_section_is_replaced_where_it_is(self):
        page = report.with_section("# P\n\nmine\n", "many", "one")
        page = report.with_section(page + "\nmine too\n", "many", "two \\1")
        self.assertNotIn("one", page)
        self.assertIn("two \\1", page)
        self.assertTrue(page.startswith("# P\n\nmine\n"))
        self.assertTrue(page.endswith("\nmine too\n"))

    def test_sections_stand_in_their_order(self):
        page = "# P\n"
        for name in ("restart", "many", "validate", "storm", "bars"):
            page = report.with_section(page, name, "text of " + name)
        places = [page.index("text of " + name)
                  for name in ("bars", "validate", "many", "storm", "restart")]
        self.assertEqual(places, sorted(places))

    def test_the_summary_has_the_bars_of_all_sections(self):
        table = figures.bars_table([figures.Bar("speed", 1, [2]), figures.Bar("size", 3, [2])])
        page = report.with_section("# P\n", "many", f"## Many\n\n{table}\n\nAnd more.\n\n| x |\n|---|")
        page = report.with_section(page, "storm", figures.bars_table([figures.Bar("calm", 1, [1])]))
        rows = [line for line in report.bars_summary(page).split("\n") if line.startswith("| `")]
        self.assertEqual([row.split(" | ")[0] for row in rows],
                         ["| `many`: speed", "| `many`: size", "| `storm`: calm"])
        # Written into the page, it does not count itself.
        again = report.with_section(page, "bars", report.bars_summary(page))
        self.assertEqual(report.bars_summary(again), report.bars_summary(page))

    def test_the_file_is_written(self):
        with tempfile.TemporaryDirectory() as directory:
            report.PATH = os.path.join(directory, "docs", "page.md")
            report.write_section("restart", "text")
            with open(report.PATH, encoding="utf-8") as file:
                self.assertIn("<!-- restart: end -->", file.read())


class Stats(unittest.TestCase):
    def test_messagepack_is_decoded(self):
        encoded = (b"\x86\xa1a\x01\xa1b\xcd\x01\x00\xa1c\x92\xc0\xc3\xa1d\xcb" +
                   b"\x3f\xf8\0\0\0\0\0\0\xa1e\xd9\x02xy\xa1f\xff")
        self.assertEqual(stats.decode(encoded)[0],
                         {"a": 1, "b": 256, "c": [None, True], "d": 1.5, "e": "xy", "f": -1})
        for size in range(len(encoded)):
            with self.assertRaises((IndexError, stats.struct.error), msg=size):
                stats.decode(encoded[:size])

    def test_turns_are_those_between_two_answers(self):
        before = {"loop_turns": {"250": 100, "500": 104, "1000": 104, "inf": 105}}
        after = {"loop_turns": {"250": 200, "500": 210, "1000": 213, "inf": 214}}
        self.assertEqual(stats.turns_above(before, after, 500), 3)
        self.assertEqual(stats.turns_above(before, after, 1000), 0)
        self.assertEqual(stats.turns_within(before, after), 1000)
        self.assertIsNone(stats.turns_above({}, {}, 500))


class Threads(unittest.TestCase):
    def test_threads_are_summed_by_their_name(self):
        run = {"server_threads_ns": {"loop-0": 1, "loop-1": 2, "looper": 4, "committer": 8}}
        self.assertEqual(section.thread_ns(run, "loop"), 3)
        self.assertEqual(section.thread_ns(run, "committer"), 8)
        self.assertIsNone(section.thread_ns(run, "reclaimer"))

    def test_a_cut_interval_is_left_out(self):
        timeline = [{"t_ms": 100, "answers": 5}, {"t_ms": 200, "answers": 0},
                    {"t_ms": 300, "answers": 5}, {"t_ms": 307, "answers": 1}]
        self.assertEqual([at for at, _ in section.whole_intervals(timeline, 100)], [0.05, 0.25])


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

    def test_sections_draw_what_they_measured(self):
        runs = {str(d): [{"server_ns": 1000.0 / d}] for d in (1, 16, 64)}
        pictures = validate.Validate().pictures(
            {"runs": {"floor": runs, "redis": runs, "tokend": runs}}, validate.Validate.full)
        self.assertEqual(list(pictures), ["cpu-per-operation"])
        pictures = scale.Scale().pictures(
            {"memory": {"tokend": {"resident_bytes": 10**9, "rocksdb_memory_bytes": 10**8},
                        "redis": {"resident_bytes": 2 * 10**9}}}, scale.Scale.full)
        self.assertIn("100 bytes", pictures["memory-per-token"])
        rungs = {str(rate): [{"per_second": min(rate, 200000),
                              "latency_us": {"p50": 20, "p99": 80, "p999": rate / 100}}]
                 for rate in (25000, 100000, 400000)}
        latency.Latency().pictures({"redis": rungs, "tokend": rungs}, latency.Latency.full)


if __name__ == "__main__":
    unittest.main()
