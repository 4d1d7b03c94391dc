"""Figures in tables: medians with their spread, and bars that they are held against."""

import statistics


def number(value, digits=None):
    """As a reader wants it: 0.123, 12.3, 1,234; or with so many digits behind the point."""
    if value is None:
        return "–"
    if digits is None:
        digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f}"


def middle(values):
    return statistics.median(values)


def spread(values, digits=None):
    """Median (min – max); one value as it is."""
    values = list(values)
    if not values:
        return "–"
    if digits is None and len(values) > 1:
        largest = max(abs(value) for value in values)
        digits = 0 if largest >= 100 else 1 if largest >= 10 else 2 if largest >= 1 else 3
    text = number(middle(values), digits)
    if len(values) > 1:
        text += f" ({number(min(values), digits)} – {number(max(values), digits)})"
    return text


def ratios(numerators, denominators):
    """Round by round, since what slows a machine down slows a whole round."""
    return [a / b for a, b in zip(numerators, denominators) if b]


class Bar:
    """What a figure has to reach. `values` are one a round; None where it was not measured, and
    `why` says so. `doubt` says why the figure does not count in this run."""

    def __init__(self, what, limit, values, *, at_least=False, unit="", digits=2, why="", doubt=""):
        self.what = what
        self.limit = limit
        self.values = list(values) if values is not None else []
        self.at_least = at_least
        self.unit = unit and " " + unit
        self.digits = digits
        self.why = why
        self.doubt = doubt

    @property
    def is_met(self):
        """None if it cannot be told."""
        if not self.values:
            return None
        value = middle(self.values)
        return value >= self.limit if self.at_least else value <= self.limit

    def verdict(self):
        if self.is_met is None:
            return "not measured" + (f": {self.why}" if self.why else "")
        text = "met" if self.is_met else "**missed**"
        return f"does not count here ({self.doubt}); else {text}" if self.doubt else text

    def row(self):
        sign = "≥" if self.at_least else "≤"
        measured = spread(self.values, self.digits) + self.unit if self.values else "–"
        return (f"| {self.what} | {sign} {number(self.limit, self.digits)}{self.unit} | {measured} "
                f"| {self.verdict()} |")


BARS_HEAD = "| bar | limit | measured: median (min – max) | verdict |"


def bars_table(bars):
    return "\n".join([BARS_HEAD, "|---|--:|--:|---|"] + [bar.row() for bar in bars])


def bars_sentence(bars):
    """How many of the bars were met, in words."""
    counted = [bar for bar in bars if bar.is_met is not None and not bar.doubt]
    missed = [bar for bar in counted if not bar.is_met]
    if not counted:
        return "None of the bars could be measured." if bars else ""
    if not missed:
        text = "The bar is met." if len(counted) == 1 else f"All {len(counted)} bars that count are met."
    elif len(counted) == 1:
        text = "The bar is missed."
    else:
        text = f"Of {len(counted)} bars that count, {len(counted) - len(missed)} are met; missed: " + \
               "; ".join(bar.what for bar in missed) + "."
    return text


def table(head, rows):
    """Markdown; the first column is text, the others are figures."""
    lines = ["| " + " | ".join(head) + " |", "|---|" + "--:|" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])
