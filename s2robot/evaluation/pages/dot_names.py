"""Where the names of a scatter plot's points stand, so that none covers another one or a point.

Boxes are in pixels of the narrowest plot, a phone's: on wider ones the points are further apart and the text
is as wide, so what is free there stays free.
"""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 300, 190  # of the plot
LETTER, LINE, GAP, RADIUS = 6.5, 14, 9, 5
LONGEST = 22  # letters of a name; of longer ones the beginning is shown

Place = tuple[float, float]  # 0 to 1 from the left, 0 to 1 from below
Box = tuple[float, float, float, float]  # left, bottom, right, top


@dataclass(frozen=True)
class Name:
    """A text beside a point."""

    text: str
    is_left: bool


def placed(labels: Sequence[str], places: Sequence[Place]) -> list[Name | None]:
    """The name beside each point, or None where there is no room; points on each other share the first's."""
    at = [(WIDTH * x, HEIGHT * y) for x, y in places]
    texts, taken = _short(labels), [(x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS) for x, y in at]
    found: list[Name | None] = []
    for i, (x, y) in enumerate(at):
        same = [k for k, other in enumerate(at) if _is_same(other, (x, y))]
        text = _cut(", ".join(texts[k] for k in same))
        wide = LETTER * len(text)
        sides = [(False, x + GAP), (True, x - GAP - wide)] if same[0] == i else []
        for is_left, left in sides:
            box = (left, y - LINE / 2, left + wide, y + LINE / 2)
            if left >= 0 and left + wide <= WIDTH and not any(_meet(box, other) for other in taken):
                taken.append(box)
                found.append(Name(text, is_left))
                break
        else:
            found.append(None)
    return found


def _short(labels: Sequence[str]) -> list[str]:
    """The last parts of paths, where they differ."""
    last = [label.rstrip("/").rpartition("/")[2] for label in labels]
    return last if len(set(last)) == len(set(labels)) else list(labels)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _is_same(a: Place, b: Place) -> bool:
    return abs(a[0] - b[0]) <= RADIUS and abs(a[1] - b[1]) <= RADIUS


def _meet(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
