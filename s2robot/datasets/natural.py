"""The order of names that end in numbers: `demo_2` before `demo_10`, and any other name."""

import re


def natural(name: str) -> list[tuple[int, int, str]]:
    """A key for `sorted`: runs of digits count as numbers."""
    parts = re.findall(r"\d+|\D+", name)
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts]
