"""How far off a probe locates part and goal in an episode's first frame: `benchmarks/locate.py TASK`.

    python benchmarks/locate.py ThreadNut --starts 126 500 2500 --probe \\
        "encoder.sizes=[448] policy.head_args.hidden=64" "encoder.sizes=[224,448] encoder.output_grid=[28,28]"

Prints median errors (mm in the plane, degrees) over unseen starts, for each number of starts that the probe
was trained on. See docs/evidence.md.
"""

import argparse
import json
import sys

from diagnose import known_task
from diagnosis.demonstrations import make
from diagnosis.starts import errors, look
from diagnosis.state import Description

from s2robot.errors import UserError

PROBES = ["encoder.sizes=[448]", "encoder.sizes=[448] policy.head_args.hidden=64"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("task", help="an id, or a short name of the newest version, e.g. ThreadNut")
    add("--starts", type=int, nargs="+", default=[126, 500, 2500], help="that a probe is trained on")
    add("--test", type=int, default=500, help="unseen starts")
    add("--steps", type=int, default=1500, help="of each training")
    add("--camera", default="agentview")
    add("--probe", nargs="+", default=PROBES, help="options of `s2robot train` for each")
    add("--json", action="store_true", help="one JSON object a line")
    given = parser.parse_args()
    env_id = known_task(given.task)
    env = make(env_id)
    env.reset(seed=0)
    description = Description.of(env.unwrapped)
    env.close()
    for words in given.probe:
        count = max(given.starts) + given.test
        starts = look(env_id, description, given.camera, count, words.split())
        for train in given.starts:
            found = errors(description, starts, train, given.test, given.steps, words.split())
            row = {"probe": words, "starts": train, "errors": found}
            print(json.dumps(row) if given.json else f"{words}, {train} starts: {found}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
