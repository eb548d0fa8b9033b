"""One change of one file of a folder, drawn by a seeded generator: of bytes, of values, or of what it is."""

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

SECRET = "secret-5d41402abc4b2a76"  # content of the file outside; no message and no page may show it
TEXTS = (".json", ".jsonl", ".yaml")
VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    3,
    2**31,
    10**9,
    10**30,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "a",
    "../../outside/secret.txt",
    "/dev/zero",
    "${oc.env:HOME}",
    "${..}",
    "a\nb\x1b[31m",
    "\udcff",
    "x" * 5000,
    [],
    [[]],
    [1, "a", None],
    [1] * 5000,
    {},
    {"a": {"b": [1]}},
    {"_target_": "os.system"},
)


def mutate(folder: Path, outside: Path, draw: random.Random) -> str:
    """Change one file below `folder`; says which and how."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    file = draw.choice(files)
    where = str(file.relative_to(folder))
    if draw.random() < 0.12:
        return f"{where}: {_replaced(file, outside, draw)}"
    if file.suffix in TEXTS and draw.random() < 0.65:
        return f"{where}: {_values(file, draw)}"
    return f"{where}: {_bytes(file, draw)}"


def _replaced(file: Path, outside: Path, draw: random.Random) -> str:
    file.unlink()
    how = draw.choice(["deleted", "secret", "zero", "fifo", "folder", "itself", "empty", "parent"])
    targets = {
        "secret": outside / "secret.txt",
        "zero": Path("/dev/zero"),
        "itself": file,
        "parent": file.parent,
    }
    if how in targets:
        file.symlink_to(targets[how])
    elif how == "fifo":
        os.mkfifo(file)
    elif how == "folder":
        file.mkdir()
    elif how == "empty":
        file.touch()
    return f"replaced: {how}"


def _values(file: Path, draw: random.Random) -> str:
    """Another value, or none, at a random place of JSON, of a line of it, or of YAML."""
    text = file.read_text()
    lines = text.splitlines() if file.suffix == ".jsonl" else [text]
    number = draw.randrange(len(lines)) if lines else 0
    parse: Callable[[str], Any] = yaml.safe_load if file.suffix == ".yaml" else json.loads
    try:
        whole: dict[str, Any] = {"": parse(lines[number])}
    except (IndexError, ValueError, yaml.YAMLError):
        return _bytes(file, draw)
    inside, key = draw.choice(list(_places(whole)))
    value = draw.choice(VALUES)
    if draw.random() < 0.2:
        del inside[key]
        told = f"{key!r} deleted"
    else:
        inside[key] = value
        told = f"{key!r} = {str(value)[:40]!r}"
    plain = whole.get("")
    changed = yaml.safe_dump(plain, allow_unicode=False) if file.suffix == ".yaml" else json.dumps(plain)
    lines[number] = changed
    file.write_text("\n".join(lines) + ("\n" if file.suffix == ".jsonl" else ""), errors="surrogatepass")
    return told


def _places(plain: Any) -> Any:
    """Every container with a key or index in it."""
    keys = list(plain) if isinstance(plain, dict) else range(len(plain)) if isinstance(plain, list) else []
    for key in keys:
        yield plain, key
        yield from _places(plain[key])


def _bytes(file: Path, draw: random.Random) -> str:
    data = bytearray(file.read_bytes())
    how = draw.choice(["bits", "cut", "zeros", "ones", "noise", "twice", "out", "number", "huge"])
    at = draw.randrange(len(data)) if data else 0
    size = draw.choice([1, 2, 4, 8, 64, 1024])
    if how == "bits":
        for _ in range(draw.choice([1, 4, 32])):
            if data:
                data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    elif how == "cut":
        del data[at:]
    elif how in ("zeros", "ones", "noise"):
        new = {"zeros": b"\0" * size, "ones": b"\xff" * size, "noise": draw.randbytes(size)}[how]
        data[at : at + size] = new
    elif how == "twice":
        data[at:at] = data[at : at + size]
    elif how == "out":
        del data[at : at + size]
    else:
        number = draw.choice([0, 1, 255, 2**31 - 1, 2**32 - 1, 2**40]) if how == "number" else 2**62
        data[at : at + 8] = number.to_bytes(8, draw.choice(["little", "big"]))
    file.write_bytes(data)
    return f"{how} at byte {at}"


def copied(source: Path, target: Path) -> Path:
    """A fresh copy of a folder of inputs."""
    shutil.rmtree(target, ignore_errors=True)
    return Path(shutil.copytree(source, target, symlinks=True))
