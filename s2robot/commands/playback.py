"""Show an episode of a dataset as a video: its frames, its states rendered, or its actions executed.

With --from states or actions it is printed how far the result is from what was recorded. The executed actions
are taken where a dataset has them, unless data.actions chooses others.

    s2robot playback demos.hdf5 --episode demo_0 --out demo_0.mp4
    s2robot playback demos.hdf5 --episode demo_0 --out again.mp4 --from actions data.actions=[actions_abs]
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from s2robot.commands.cli.data import add_data, data_config
from s2robot.commands.cli.parser import Parser
from s2robot.errors import number_of


def cli(words: Sequence[str]) -> None:
    """`s2robot playback`."""
    parser = Parser(__name__, __doc__)
    add_data(parser)
    parser.add_argument("--episode", required=True, metavar="NAME", help="`s2robot info` lists them")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.mp4", help="the video")
    told = "observations (default), states or actions"
    origins = ["observations", "states", "actions"]
    parser.add_argument(
        "--from", dest="origin", default=origins[0], choices=origins, metavar="ORIGIN", help=told
    )
    parser.add_argument("--fps", type=float, help="of the video (default: the dataset's, else 10)")
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    arguments = parser.parse_with_plugins(words)

    from s2robot.collecting.playback import play
    from s2robot.datasets.tools.leniently import open_leniently

    dataset, _ = open_leniently(data_config(arguments, arguments.path))
    played = play(dataset, arguments.episode, arguments.out, arguments.origin, arguments.fps)
    if arguments.json:
        print(json.dumps({"out": str(arguments.out), "from": arguments.origin, **asdict(played)}))
        return
    for name, apart in played.divergence.items():
        told = f"at most {apart.largest:.3g} from what was recorded (step {apart.step})"
        print(f"{name}: {told}, {apart.last:.3g} at the end")
    if played.success is not None:
        print(f"the task is {'solved' if played.success else 'not solved'} at the end")
    frames = number_of(played.frames, "frame")
    print(f"wrote {arguments.out}: {frames} of {arguments.episode}, from {arguments.origin}")
