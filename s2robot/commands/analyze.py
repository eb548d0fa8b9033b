"""Look into stored features: how much of a larger encoder do several scales of a smaller one hold?

s2robot analyze reconstruct my.hdf5 --small lite0 --large lite2
s2robot analyze reconstruct my.hdf5 --scales 224 224,448 --large lite2 --large-size 256 --json
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from s2robot.commands.cli.data import add_data, data_config
from s2robot.commands.cli.parser import Parser, numbers
from s2robot.errors import UserError, number_of

NOTE = (
    "loss: mean squared error of the larger encoder's standardised features on held-out episodes; "
    "ratio: share of what their mean leaves unexplained"
)


def cli(words: Sequence[str]) -> None:
    """`s2robot analyze`."""
    parser = Parser(__name__, __doc__)
    add = parser.add_argument
    add("what", choices=["reconstruct"], help="reconstruct: the S2 paper's Table 2")
    add_data(parser)
    add("--small", default="lite0", metavar="ENCODER", help="the smaller encoder")
    add("--large", default="lite2", metavar="ENCODER", help="the larger one")
    told = "sets of sizes of the smaller one (default: its tile, and twice and three times that)"
    add("--scales", nargs="+", type=numbers, metavar="SIZE,...", help=told)
    add("--large-size", type=int, metavar="N", help="pixels that the larger one sees (default: its tile)")
    add("--backend", default="auto", help="of the encoders, as encoder.backend in training")
    add("--camera", metavar="NAME", help="default: the first")
    add("--episodes", type=int, default=25, help="at most so many, a fifth of them held out")
    add("--steps", type=int, default=1000, help="of the non-linear map's training")
    add("--seed", type=int, default=0, help="of the non-linear map")
    add("--json", action="store_true", help="one JSON object and nothing else")
    arguments = parser.parse_with_plugins(words)
    if arguments.episodes < 2:
        raise UserError(f"--episodes {arguments.episodes}: expected 2 or more, to fit on and to judge by")

    from s2robot.datasets import open_dataset
    from s2robot.encoders import ENCODERS
    from s2robot.errors import unknown_name
    from s2robot.features.reconstruction import Pair, reconstruct

    demos = open_dataset(data_config(arguments, arguments.path))
    camera = arguments.camera or next(iter(demos.cameras), "")
    if camera not in demos.cameras:
        raise unknown_name("camera", camera, demos.cameras)
    tile = ENCODERS[arguments.small].untrained().spec.tile
    count = min(arguments.episodes, len(demos.episodes))
    held_out = max(1, count // 5)
    episodes = list(range(count - held_out)), list(range(count - held_out, count))
    found: dict[str, dict[str, Any]] = {}
    for sizes in arguments.scales or [[tile * n for n in range(1, most + 1)] for most in (1, 2, 3)]:
        pair = Pair(arguments.small, sizes, arguments.large, arguments.large_size, arguments.backend)
        maps = reconstruct(demos, camera, pair, episodes, steps=arguments.steps, seed=arguments.seed)
        name = "+".join(map(str, sizes))
        found[name] = {key: asdict(value) for key, value in maps.items()}
        found[name] |= {"small": pair.small, "large": pair.large, "sizes": sizes, "episodes": count}
        if not arguments.json:
            if len(found) == 1:
                episodes_told = f"{number_of(count, 'episode')}, {held_out} held out"
                print(f"{pair.large} from {pair.small}, {camera}, {episodes_told}")
                print(f"{'scales':16}{'linear loss':>12}{'ratio':>8}{'mlp loss':>12}{'ratio':>8}")
            columns = "".join(f"{one.loss:12.4f}{one.ratio:8.1%}" for one in maps.values())
            print(f"{name:16}{columns}", flush=True)
    print(json.dumps(found) if arguments.json else NOTE)
