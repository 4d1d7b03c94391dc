"""The kinds of picture that the sections draw (svg.py has what they are drawn with)."""

import svg
from svg import COLORS, INK, LINE_HEIGHT, MARGIN, MUTED

WIDTH = 920


def bar_panels(title, subtitle, panels, name_value):
    """Horizontal bars, one panel beside the other, each on a scale of its own.

    panels: [(title, [(key of COLORS, label, value)])]; all have the same labels, told once."""
    labels = [label for _, label, _ in panels[0][1]]
    label_width = max(svg.text_width(label) for label in labels) + 12
    row, bar, top = 30, 20, 104
    height = top + row * len(labels) + 16
    picture = svg.Picture(WIDTH, height, title, subtitle)
    gap = 28
    width = (WIDTH - 2 * MARGIN - label_width - gap * (len(panels) - 1)) / len(panels)
    for index, (key, label, _) in enumerate(panels[0][1]):
        picture.text(MARGIN, top + row * index + bar / 2 + 4, label,
                     bold=key == "tokend", color=INK)
    for number, (panel_title, bars) in enumerate(panels):
        left = MARGIN + label_width + number * (width + gap)
        picture.text(left, top - 14, panel_title, size=13, bold=True)
        room = max(svg.text_width(name_value(value), bold=True) for _, _, value in bars) + 8
        largest = max(value for _, _, value in bars) or 1
        for index, (key, _, value) in enumerate(bars):
            y = top + row * index
            length = (width - room) * value / largest
            picture.rect(left, y, length, bar, COLORS[key], radius=2)
            picture.text(left + length + 6, y + bar / 2 + 4, name_value(value), bold=key == "tokend")
        picture.line(left, top - 5, left, top + row * len(bars) - 4, color="#aab3bc")
    return picture.svg()


def stacked_bars(title, subtitle, rows, name_value):
    """Horizontal bars of parts. rows: [(key of COLORS, label, [(value, what it is)])]."""
    label_width = max(svg.text_width(label, bold=True) for _, label, _ in rows) + 16
    row, bar, top = 40, 24, 92
    height = top + row * len(rows) + 8
    picture = svg.Picture(WIDTH, height, title, subtitle)
    left = MARGIN + label_width
    room = max(svg.text_width(name_value(sum(v for v, _ in parts)), bold=True)
               for _, _, parts in rows) + 10
    largest = max(sum(value for value, _ in parts) for _, _, parts in rows)
    scale = (WIDTH - MARGIN - room - left) / largest
    for index, (key, label, parts) in enumerate(rows):
        y = top + row * index
        picture.text(MARGIN, y + bar / 2 + 4, label, bold=key == "tokend")
        at = left
        for part, (value, what) in enumerate(parts):
            picture.rect(at, y, value * scale, bar, COLORS[key], opacity=1 if part == 0 else 0.55)
            if what and svg.text_width(what, 11) + 10 < value * scale:
                picture.text(at + 6, y + bar / 2 + 4, what, size=11,
                             color="#ffffff" if part == 0 else INK)
            at += value * scale
        picture.text(at + 7, y + bar / 2 + 4, name_value(sum(value for value, _ in parts)),
                     bold=key == "tokend")
    bottom = top + row * len(rows) - (row - bar) / 2 + 2
    picture.line(left, top - 8, left, bottom, color="#aab3bc")
    return picture.svg()


def rate_panels(title, subtitle, panels, x, y, x_title):
    """Curves of several servers, one panel beside the other, with the same scales.

    panels: [(title, [(key of COLORS, label, [(x, y)], whether it ends in a cross)])]."""
    top, bottom, height = 112, 360, 412
    picture = svg.Picture(WIDTH, height, title, subtitle)
    left = MARGIN + 46
    gap = 20
    width = (WIDTH - MARGIN - left - gap * (len(panels) - 1)) / len(panels)
    for number, (panel_title, curves) in enumerate(panels):
        panel_left = left + number * (width + gap)
        axes = svg.Axes(picture, panel_left, top, panel_left + width, bottom, x, y, title=panel_title,
                        x_title=x_title, y_name=microseconds if number == 0 else None)
        for key, _, points, _ in curves:
            axes.curve([(a, min(b, y.high)) for a, b in points], COLORS[key],
                       width=2.6 if key == "tokend" else 1.8)
        _label_ends(axes, curves)
    return picture.svg()


def microseconds(value):
    return f"{value / 1000:g} ms" if value >= 1000 else f"{value:g} µs"


def _label_ends(axes, curves):
    """Each label stands above the end of its curve, or left of it where that is at the top; where it
    would touch another, further up."""
    placed = []
    for key, label, points, is_crossed in sorted(curves, key=lambda curve: curve[2][-1][1]):
        x, y = axes.x(points[-1][0]), axes.y(min(points[-1][1], axes.y_scale.high))
        (axes.picture.cross if is_crossed else axes.picture.dot)(x, y, COLORS[key])
        width = svg.text_width(label, bold=key == "tokend")
        places = [(min(x + width / 2, axes.right + 6), y - 9 - n * LINE_HEIGHT) for n in range(9)]
        if y < axes.top + LINE_HEIGHT:
            places.insert(0, (x - 9, y + 4))
        right, baseline = next(
            place for place in places
            if not any(place[0] - width < other[1] and other[0] < place[0]
                       and abs(place[1] - other[2]) < LINE_HEIGHT - 2 for other in placed))
        placed.append((right - width, right, baseline))
        axes.picture.text(right, baseline, label, color=COLORS[key], anchor="end", halo=True,
                          bold=key == "tokend")


def timelines(title, subtitle, panels, x, x_title, bands, band_name=""):
    """Panels above one another over the same time.

    panels: [(title, y scale, name of a tick, [(key of COLORS, label, [(x, y)])], height)]; a curve is
    broken where y is None. bands: [(from, to)], shaded, the first with a name."""
    label_width = max(svg.text_width(label, bold=True) for _, _, _, curves, _ in panels
                      for _, label, _ in curves) + 14
    top = 100 if panels[0][0] else 76
    height = top + sum(panel[4] + 52 for panel in panels)
    picture = svg.Picture(WIDTH, height, title, subtitle)
    left, right = MARGIN + 50, WIDTH - MARGIN - label_width
    for number, (panel_title, y, y_name, curves, panel_height) in enumerate(panels):
        bottom = top + panel_height
        is_last = number == len(panels) - 1
        spans = [[left + x.at(min(max(v, x.low), x.high)) * (right - left) for v in band]
                 for band in bands]
        for start, end in spans:
            picture.rect(start, top, end - start, panel_height, "#e8f0fc")
        axes = svg.Axes(picture, left, top, right, bottom, x, y, title=panel_title, y_name=y_name,
                        x_name=svg.short if is_last else None, x_title=x_title if is_last else "")
        if band_name and number == 0:
            picture.text(sum(spans[0]) / 2, top + 15, band_name, size=11, color=MUTED, anchor="middle")
        for key, _, points in curves:
            for piece in _pieces(points):
                axes.curve([(a, min(b, y.high)) for a, b in piece], COLORS[key],
                           width=2.2 if key == "tokend" else 1.6)
        axes.labels([(_level(points, y), label, COLORS[key], key == "tokend")
                     for key, label, points in curves])
        top = bottom + 52
    return picture.svg()


def _level(points, y):
    """Where a curve is at its end."""
    return min(next(value for _, value in reversed(points) if value is not None), y.high)


def _pieces(points):
    """A curve is broken where it has no figure."""
    piece = []
    for point in points:
        if point[1] is None:
            if piece:
                yield piece
            piece = []
        else:
            piece.append(point)
    if piece:
        yield piece
