"""Compare evaluations on the same seeds: is one policy better?

s2robot compare runs/bc runs/act
s2robot compare runs/bc runs/act runs/flow            # every pair, p-values corrected for their number
s2robot compare runs/bc_0,runs/bc_1 runs/act_0,runs/act_1   # policies that were trained with several seeds
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from s2robot.commands.cli.parser import Parser
from s2robot.errors import UserError


def cli(words: Sequence[str]) -> None:
    """`s2robot compare`."""
    parser = Parser(__name__, __doc__)
    told = "a run, or an evaluation RUN/eval/NAME; several trainings of a policy with commas between"
    parser.add_argument("evaluations", nargs="+", type=trainings, metavar="EVALUATION", help=told)
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    arguments = parser.parse_args(words)
    groups = arguments.evaluations
    if len(groups) < 2:
        raise UserError("compare needs two evaluations or more, see `s2robot compare --help`")
    if len(groups) == 2 and all(len(group) == 1 for group in groups):
        _two(groups[0][0], groups[1][0], arguments.json)
    else:
        _several(groups, arguments.json)


def trainings(text: str) -> list[Path]:
    """`a,b` -> [a, b], unless there is a path of this name."""
    return [Path(text)] if Path(text).exists() else [Path(part) for part in text.split(",")]


def _two(a: Path, b: Path, as_json: bool) -> None:
    from s2robot.evaluation.comparison import compare_folders, table

    comparison = compare_folders(a, b)
    acted = _acted([a, b])
    if as_json:
        print(json.dumps({"a": str(a), "b": str(b), "weights": acted, **asdict(comparison)}))
    else:
        print(*_told(acted), *table(comparison, str(a), str(b)), sep="\n")


def _several(groups: Sequence[Sequence[Path]], as_json: bool) -> None:
    from s2robot.evaluation.several import compare_several, table

    several = compare_several(groups)
    acted = _acted([path for group in groups for path in group])
    if as_json:
        print(json.dumps({"weights": acted, **asdict(several)}))
    else:
        print(*_told(acted), *table(several), sep="\n")


def _acted(paths: Sequence[Path]) -> dict[str, str]:
    """Which weights acted in each evaluation that says so."""
    from s2robot.evaluation.comparison import weights_of

    return {str(path): weights for path in paths if (weights := weights_of(path))}


def _told(acted: Mapping[str, str]) -> list[str]:
    return [f"{path}: {weights}" for path, weights in acted.items()]
