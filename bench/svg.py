"""Pictures as SVG, written by hand: a card with a title, and axes to draw curves in.

A picture brings its own white ground, so that it reads alike on white and on dark pages.
"""

import math
from xml.sax.saxutils import escape

FONT = "-apple-system, 'Segoe UI', 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"
INK, MUTED, GRID, FRAME = "#1f2328", "#59636e", "#e6e9ed", "#d1d9e0"
# Told apart without seeing red and green, too.
COLORS = {"tokend": "#0a58ca", "redis": "#c2410c", "memcached": "#7c3aed",
          "memcached-R200": "#a78bda", "floor": "#8a939c"}
MARGIN = 24
LABEL_SIZE = 12
LINE_HEIGHT = 14


def text_width(text, size=LABEL_SIZE, bold=False):
    """An upper estimate, in the widest of the fonts."""
    narrow = sum(character in " .,:;|!'ijlt()/-" for character in text)
    return (0.66 * (len(text) - narrow) + 0.38 * narrow) * size * (1.08 if bold else 1)


def spread_labels(wanted, gap, low, high):
    """Positions as near to the wanted ones as may be, `gap` apart at least and within low ... high.

    wanted: in any order; the answer is in the same."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    # Groups of labels that touch, each centred on what its members want.
    groups = []
    for i in order:
        groups.append([[i], wanted[i]])
        while True:
            members, middle = groups[-1]
            half = (len(members) - 1) * gap / 2
            middle = min(max(middle, low + half), high - half)
            groups[-1][1] = middle
            if len(groups) < 2:
                break
            before, before_middle = groups[-2]
            if before_middle + (len(before) - 1) * gap / 2 + gap <= middle - half:
                break
            joined = before + members
            start = sum(wanted[j] - k * gap for k, j in enumerate(joined)) / len(joined)
            groups[-2:] = [[joined, start + (len(joined) - 1) * gap / 2]]
    positions = [0.0] * len(wanted)
    for members, middle in groups:
        for k, i in enumerate(members):
            positions[i] = middle + (k - (len(members) - 1) / 2) * gap
    return positions


def short(value):
    """10k and 2.5M for the labels of an axis."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= unit:
            return f"{value / unit:g}{name}"
    return f"{value:g}"


class Picture:
    """A card with a title, and a line below it that says what is seen."""

    def __init__(self, width, height, title, subtitle=""):
        self.width = width
        self.height = height
        self._parts = []
        self._title = title
        self.boxes = []  # (left, top, right, bottom, text) of each text
        self.text(MARGIN, 34, title, size=17, bold=True)
        if subtitle:
            self.text(MARGIN, 54, subtitle, color=MUTED)

    def text(self, x, y, text, *, size=LABEL_SIZE, color=INK, anchor="start", bold=False, halo=False):
        width = text_width(text, size, bold)
        left = {"start": x, "middle": x - width / 2, "end": x - width}[anchor]
        box = (left, y - 0.75 * size, left + width, y + 0.2 * size)
        self.boxes.append((*box, text))
        attributes = ' font-weight="600"' if bold else ""
        if anchor != "start":
            attributes += f' text-anchor="{anchor}"'
        if halo:  # over curves
            attributes += ' stroke="#ffffff" stroke-width="3" paint-order="stroke"'
        self._parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{color}"'
                           f'{attributes}>{escape(text)}</text>')

    def line(self, x1, y1, x2, y2, *, color=GRID, width=1.0, dash=""):
        dash = f' stroke-dasharray="{dash}"' if dash else ""
        self._parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
                           f'stroke="{color}" stroke-width="{width:g}"{dash}/>')

    def rect(self, x, y, width, height, color, *, opacity=1.0, radius=0):
        more = (f' fill-opacity="{opacity:g}"' if opacity != 1 else "") + \
               (f' rx="{radius:g}"' if radius else "")
        self._parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" '
                           f'height="{max(height, 0):.1f}" fill="{color}"{more}/>')

    def curve(self, points, color, *, width=2.0, dash=""):
        dash = f' stroke-dasharray="{dash}"' if dash else ""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" '
                           f'stroke-width="{width:g}" stroke-linejoin="round" '
                           f'stroke-linecap="round"{dash}/>')

    def dot(self, x, y, color):
        self._parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>')

    def cross(self, x, y, color):
        for rise in (-4, 4):
            self.line(x - 4, y - rise, x + 4, y + rise, color=color, width=2.2)

    def svg(self):
        body = "\n  ".join(self._parts)
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
                f'width="{self.width}" height="{self.height}" role="img" '
                f'font-family="{FONT}">\n'
                f'  <title>{escape(self._title)}</title>\n'
                f'  <rect x="0.5" y="0.5" width="{self.width - 1}" height="{self.height - 1}" rx="8" '
                f'fill="#ffffff" stroke="{FRAME}"/>\n'
                f'  {body}\n</svg>\n')


class Linear:
    """From low to high; `steps` is about how many ticks there are."""

    def __init__(self, low, high, steps=5):
        self.low = low
        self.high = high if high > low else low + 1
        rough = (self.high - self.low) / steps
        magnitude = 10 ** math.floor(math.log10(rough))
        self._step = next(m * magnitude for m in (1, 2, 2.5, 5, 10) if m * magnitude >= rough * 0.999)

    def at(self, value):
        """0 at low, 1 at high."""
        return (value - self.low) / (self.high - self.low)

    def ticks(self):
        first = math.ceil(self.low / self._step - 1e-9)
        last = math.floor(self.high / self._step + 1e-9)
        return [n * self._step for n in range(first, last + 1)]


class Log:
    """Logarithmic, with ticks at the decades and, over few of them, between."""

    def __init__(self, low, high, between=()):
        self.low = low
        self.high = high if high > low else low * 10
        self._between = between

    def at(self, value):
        value = max(value, self.low)
        return math.log(value / self.low) / math.log(self.high / self.low)

    def ticks(self):
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        values = [m * 10.0 ** d for d in decades for m in (1, *self._between)]
        return [v for v in values if self.low * 0.999 <= v <= self.high * 1.001]


class Axes:
    """A rectangle of a picture with scales, its grid and the names of its ticks."""

    def __init__(self, picture, left, top, right, bottom, x, y, *, title="", x_title="",
                 x_name=short, y_name=short):
        self.picture = picture
        self.left, self.top, self.right, self.bottom = left, top, right, bottom
        self.x_scale, self.y_scale = x, y
        for value in y.ticks():
            at = self.y(value)
            picture.line(left, at, right, at)
            if y_name:
                picture.text(left - 7, at + 4, y_name(value), size=11, color=MUTED, anchor="end")
        for value in x.ticks():
            at = self.x(value)
            picture.line(at, bottom, at, bottom + 4, color=FRAME)
            if x_name:
                picture.text(at, bottom + 17, x_name(value), size=11, color=MUTED, anchor="middle")
        picture.line(left, bottom, right, bottom, color="#aab3bc")
        if title:
            picture.text(left, top - 12, title, size=13, bold=True)
        if x_title:
            picture.text((left + right) / 2, bottom + 35, x_title, size=11, color=MUTED,
                         anchor="middle")

    def x(self, value):
        return self.left + self.x_scale.at(value) * (self.right - self.left)

    def y(self, value):
        return self.bottom - self.y_scale.at(value) * (self.bottom - self.top)

    def curve(self, points, color, **style):
        self.picture.curve([(self.x(x), self.y(y)) for x, y in points], color, **style)

    def labels(self, wanted):
        """Texts to the right of the axes, moved apart where they would touch.

        wanted: [(y, text, color, whether bold)], y in the scale's units."""
        places = spread_labels([self.y(y) for y, *_ in wanted], LINE_HEIGHT, self.top, self.bottom)
        for (_, text, color, bold), place in zip(wanted, places):
            self.picture.text(self.right + 7, place + 4, text, color=color, bold=bold)
