"""Charts as pieces of HTML and SVG that need no library and follow the window's width.

The drawing is stretched to the width, its strokes are not; numbers beside it are text of the page. A script
of the page shows the values under the pointer, which it reads from the paths.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from s2robot.evaluation.pages.axes import Axis, exactly, fitting, text
from s2robot.evaluation.pages.dot_names import Name, placed

SIDE = 1000  # of the drawing, in its own units
MOST_POINTS = 600  # of a line; of longer ones every n-th is drawn
COLOURS = 8  # classes c0, c1, ... of the style; then again, dashed

Points = Sequence[tuple[float, float]]
BREAK = (math.nan, math.nan)  # a point at which a line ends, and begins anew after it


@dataclass(frozen=True)
class Dot:
    """A point of a scatter plot, with the interval of its height."""

    name: str
    x: float
    y: float
    low: float
    high: float
    colour: int
    href: str = ""


def curves(
    groups: Mapping[str, Points],
    x: str = "step",
    marks: Mapping[str, float] | None = None,
    *,
    legend: bool = True,
    small: bool = False,
    percent: bool = False,
    colours: Mapping[str, int] | None = None,
) -> Markup:
    """A line for each group of points; a dashed vertical one at each of `marks`, with its name.

    Values that are not finite are left out. `colours` gives each group its colour; by default in turn.
    """
    kept = {name: points for name, all_ in groups.items() if (points := _finite(all_))}
    if not kept:
        return Markup('<p class="dim">no finite values</p>')
    every = [point for points in kept.values() for point in points if point is not BREAK]
    horizontal = exactly([px for px, _ in every] + list((marks or {}).values()))
    vertical = Axis(0, 1) if percent else fitting([py for _, py in every], may_be_logarithmic=not small)
    paths = []
    for i, (name, points) in enumerate(kept.items()):
        colour = (colours or {}).get(name, i)
        paths.append(_path(points, horizontal, vertical, name, colour))
    lines = [_mark(name, at, horizontal) for name, at in (marks or {}).items()]
    return _figure(
        horizontal,
        vertical,
        x,
        Markup("").join(paths),
        Markup("").join(lines),
        _described(kept, x),
        names=list(kept) if legend and len(kept) > 1 else [],
        small=small,
        percent=percent,
        colours=colours,
    )


def beside(panels: Mapping[str, Mapping[str, Points]], x: str = "step") -> Markup:
    """A small chart for each name, all with the same groups of points; one legend above."""
    names = list(dict.fromkeys(name for groups in panels.values() for name in groups))
    colours = {name: i for i, name in enumerate(names)}
    drawn = [
        Markup("<div><h4>{}</h4>{}</div>").format(
            title, curves(groups, x, legend=False, small=True, colours=colours)
        )
        for title, groups in panels.items()
    ]
    return Markup('{}<div class="panels">{}</div>').format(legend(names, colours), Markup("").join(drawn))


def scatter(dots: Sequence[Dot], x: str, unit: str = "") -> Markup:
    """Success against a cost: a point with its interval for each of `dots`, which link to their pages.

    A point's name stands beside it where there is room; its values show when it is pointed at or has the
    focus; its colour is that of a legend.
    """
    horizontal = fitting([dot.x for dot in dots], may_be_logarithmic=True)
    vertical = Axis(0, 1)
    drawn, links = [], []
    names = placed([dot.name for dot in dots], [(horizontal.place(dot.x), dot.y) for dot in dots])
    for dot, name in zip(dots, names, strict=True):
        colour = _style(dot.colour)
        at = round(SIDE * horizontal.place(dot.x), 1)
        low, high, middle = (_down(vertical.place(y)) for y in (dot.low, dot.high, dot.y))
        drawn.append(Markup('<path class="{} bar" d="M{} {}V{}"/>').format(colour, at, low, high))
        drawn.append(Markup('<path class="{} dot" d="M{} {}h0"/>').format(colour, at, middle))
        told = f"{dot.name}: {dot.y:.1%} [{dot.low:.1%}, {dot.high:.1%}], {text(dot.x)} {unit}".strip()
        side = " left" if horizontal.place(dot.x) > 0.5 else ""
        links.append(
            Markup(
                '<a class="point" href="{}" style="left:{}%;bottom:{}%"><span class="tip{}">{}</span>{}</a>'
            ).format(dot.href, _percent(horizontal.place(dot.x)), _percent(dot.y), side, told, _beside(name))
        )
    title = f"{x}, {unit}" if unit else x
    described = f"success against {x}: " + "; ".join(
        f"{dot.name} {dot.y:.0%} at {text(dot.x)}" for dot in dots
    )
    return _figure(
        horizontal, vertical, title, Markup("").join(drawn), Markup("").join(links), described, percent=True
    )


def legend(names: Iterable[str], colours: Mapping[str, int] | None = None) -> Markup:
    """The colours of the groups."""
    items = [
        Markup('<span><i class="{}"></i>{}</span>').format(_style((colours or {}).get(name, i)), name)
        for i, name in enumerate(names)
    ]
    return Markup('<div class="legend">{}</div>').format(Markup("").join(items))


def _style(colour: int) -> str:
    """The classes of what is drawn in this colour; beyond the last they come again, dashed."""
    return f"c{colour % COLOURS}{' again' if colour >= COLOURS else ''}"


def _figure(
    horizontal: Axis,
    vertical: Axis,
    x: str,
    drawing: Markup,
    over: Markup,
    described: str,
    names: Sequence[str] = (),
    small: bool = False,
    percent: bool = False,
    colours: Mapping[str, int] | None = None,
) -> Markup:
    rows = [(_percent(vertical.place(y)), f"{y:.0%}" if percent else text(y)) for y in vertical.ticks()]
    columns = [(_percent(horizontal.place(one)), text(one)) for one in horizontal.ticks()]
    grid = [
        Markup('<path class="grid" d="M0 {}H{}"/>').format(_down(float(at) / 100), SIDE) for at, _ in rows
    ]
    ys = [Markup('<span style="bottom:{}%">{}</span>').format(at, label) for at, label in rows]
    xs = [Markup('<span style="left:{}%">{}</span>').format(at, label) for at, label in columns]
    return Markup(
        '{legend}<figure class="chart{small}" role="group" aria-label="{label}" tabindex="0" '
        'style="--y:{width}ch" data-x="{x0} {x1} {xlog}" data-y="{y0} {y1} {ylog}" data-title="{title}">'
        '<div class="ys" aria-hidden="true">{ys}</div><div class="plot"><svg viewBox="0 0 {side} {side}" '
        'preserveAspectRatio="none" aria-hidden="true">{grid}{drawing}</svg>{over}</div>'
        '<div class="xs" aria-hidden="true">{xs}</div><figcaption aria-hidden="true">{title}</figcaption>'
        "</figure>"
    ).format(
        legend=legend(names, colours) if names else "",
        small=" small" if small else "",
        label=described,
        width=max((len(label) for _, label in rows), default=1) + 1,
        x0=horizontal.low,
        x1=horizontal.high,
        xlog=int(horizontal.logarithmic),
        y0=vertical.low,
        y1=vertical.high,
        ylog=int(vertical.logarithmic),
        title=x,
        ys=Markup("").join(ys),
        side=SIDE,
        grid=Markup("").join(grid),
        drawing=drawing,
        over=over,
        xs=Markup("").join(xs),
    )


def _path(points: Points, horizontal: Axis, vertical: Axis, name: str, colour: int) -> Markup:
    parts, count, broken = [""], 0, any(point is BREAK for point in points)
    for x, y in points[:: -(-len(points) // MOST_POINTS)] if not broken else points:
        if math.isnan(x):
            parts.append("")
            continue
        place = f"{SIDE * horizontal.place(x):.2f} {_down(vertical.place(y))}"
        parts[-1] += f"L{place}" if parts[-1] else f"M{place}"
        count += 1
    kind = "line" if count > 1 else "dot"
    return Markup('<path class="{} {}" data-name="{}" d="{}{}"/>').format(
        _style(colour), kind, name, "".join(parts), "" if count > 1 else "h0"
    )


def _mark(name: str, at: float, horizontal: Axis) -> Markup:
    place = horizontal.place(at)
    side = " left" if place > 0.7 else ""
    return Markup('<span class="mark{}" style="left:{}%"><b>{}</b></span>').format(
        side, _percent(place), name
    )


def _beside(name: Name | None) -> Markup:
    if name is None:
        return Markup("")
    side = " left" if name.is_left else ""
    return Markup('<b class="name{}" aria-hidden="true">{}</b>').format(side, name.text)


def _finite(points: Points) -> Points:
    """Without values that are not finite; breaks of a line stay."""
    kept = [point for point in points if point is BREAK or all(map(math.isfinite, point))]
    return kept if any(point is not BREAK for point in kept) else []


def _described(groups: Mapping[str, Points], x: str) -> str:
    """What the chart shows, in words."""
    parts = []
    for name, drawn in groups.items():
        points = [point for point in drawn if point is not BREAK]
        (first, begin), (last, end) = points[0], points[-1]
        low = min(y for _, y in points)
        called = f"{name or 'value'}: "
        parts.append(
            f"{called}{text(begin)} at {x} {text(first)}, {text(end)} at {text(last)}, smallest {text(low)}"
        )
    return "line chart; " + "; ".join(parts)


def _down(share: float) -> str:
    """A height from below, in parts of the whole, in the drawing's units from above."""
    return f"{SIDE * (1 - share):.2f}"


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"
