"""Documentation that grows along a class hierarchy: a task writes down what is its own.

A docstring is a summary and then sections, each under a line `## Title`. A class has the sections of the
class that it extends; what it says itself under a title comes after what was said there before.
"""

import inspect


def extend(own: str, inherited: str) -> str:
    """The docstring of a class that extends one whose docstring is `inherited`."""
    summary, sections = _split(own)
    _, merged = _split(inherited)
    for title, text in sections.items():
        merged[title] = f"{merged[title]}\n{text}" if title in merged else text
    return "\n\n".join([summary, *(f"## {title}\n{text}" for title, text in merged.items())]) + "\n"


def _split(docstring: str) -> tuple[str, dict[str, str]]:
    """The summary, and what stands under each title."""
    summary, *parts = inspect.cleandoc(docstring).split("\n## ")
    titled = (part.partition("\n") for part in parts)
    return summary.strip(), {title: text.strip("\n") for title, _, text in titled}
