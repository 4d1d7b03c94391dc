#!/usr/bin/env python3
"""Draws what soak-test has sampled: memory, disk and writes over time.

Usage: soak_chart.py SAMPLES.csv PICTURE.svg
"""

import csv
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bench"))

import charts  # noqa: E402
import svg  # noqa: E402


def mebibytes(value):
    return f"{value:g} MiB"


def chart(rows):
    """rows: of the file, as numbers by column."""
    seconds = [row["seconds"] for row in rows]
    end = seconds[-1]

    def panel(title, y_name, curves, height):
        top = max(value for _, _, values in curves for value in values)
        return (title, svg.Linear(0, top * 1.1), y_name,
                [(key, label, list(zip(seconds, values))) for key, label, values in curves], height)

    def column(name, unit=1):
        return [row[name] / unit for row in rows]

    mib = 1 << 20
    panels = [
        panel("Resident memory", mebibytes, [("tokend", "tokend", column("resident_bytes", mib))], 130),
        panel("On disk", mebibytes, [("tokend", "database", column("disk_bytes", mib)),
                                     ("floor", "backups", column("backup_bytes", mib))], 130),
        panel("Writes in a second", svg.short, [("tokend", "writes", column("writes"))], 80),
    ]
    return charts.timelines(
        "Soak", "Tokens that come and go, restarts and kill -9 in the first half, backups throughout",
        panels, svg.Linear(0, end), "seconds", [(end / 2, end)], "one server, judged")


def main():
    samples, picture = sys.argv[1:]
    with open(samples, encoding="utf-8", newline="") as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    if not rows:
        sys.exit(f"{samples} has no samples")
    with open(picture, "w", encoding="utf-8") as file:
        file.write(chart(rows))
    print(f"drawn: {picture}")


if __name__ == "__main__":
    main()
