"""List the encoders and what each costs on a frame."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from s2robot.commands.cli.parser import Parser, numbers

NOTE = (
    "GFLOPs count a multiply-add as two; bytes are of float16; `no weights`: they are not on this machine; "
    "bfloat16: ms/frame with encoder.precision=bfloat16, `-` where the CPU has neither AMX nor AVX512-BF16"
)


def cli(words: Sequence[str]) -> None:
    """`s2robot encoders`."""
    parser = Parser(__name__, __doc__)
    parser.add_argument("names", nargs="*", help="default: all; also timm/<any name>")
    parser.add_argument("--sizes", type=numbers, help="of S2 (default: the tile and twice it)")
    parser.add_argument("--device", help="to measure on (default: the GPU if there is one)")
    parser.add_argument("--json", action="store_true", help="one JSON list and nothing else")
    arguments = parser.parse_with_plugins(words)

    from s2robot.encoders import ENCODERS
    from s2robot.encoders.costs import cost, table

    names = arguments.names or list(ENCODERS)
    if arguments.json:
        rows = [asdict(cost(name, arguments.sizes, arguments.device)) for name in names]
        print(json.dumps(rows))
        return
    known = [ENCODERS[name].name for name in names]  # an unknown one is refused before any is measured
    print(*table(known, arguments.sizes, arguments.device), sep="\n")
    print(NOTE)
