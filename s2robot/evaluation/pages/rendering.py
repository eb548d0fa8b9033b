"""From content to one file: the template with its style and its script inside, and nothing else allowed.

The page's own policy (Content-Security-Policy) names the script by its hash: if text of a run's files were
ever not escaped, a browser would still execute none of it and send nothing anywhere.
"""

import base64
import hashlib
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2

from s2robot.errors import UserError, number_of
from s2robot.files import replacing


def write_page(path: Path, template: str, **content: Any) -> Path:
    """Render a template of `templates/` into a file, complete or not at all; returns its path.

    Raises `UserError` where it cannot be written.
    """
    script = _text("script.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    rendered = (
        _environment()
        .get_template(template)
        .render(style=_text("style.css"), script=script, script_sha256=digest, **content)
    )
    try:
        with replacing(path) as scratch:  # in UTF-8 whatever the locale; names of files may hold other bytes
            scratch.write_bytes(rendered.encode("utf-8", "replace"))
    except OSError as error:
        raise UserError(f"cannot write the page {path}: {error}") from error
    return path


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("s2robot.evaluation.pages"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    filters: dict[str, Any] = {"percent": percent, "duration": duration, "id": id, "number_of": number_of}
    environment.filters |= filters
    return environment


def percent(share: float) -> str:
    """0.25 -> 25.0%."""
    return f"{100 * share:.1f}%"


def duration(seconds: float) -> str:
    """Seconds as people read them: 8.1 s, 4 min 5 s, 2 h 10 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _text(name: str) -> str:
    return (files("s2robot.evaluation.pages") / "templates" / name).read_text()
