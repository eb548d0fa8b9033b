"""How many episodes tell two success rates apart, on the same starts and on different ones.

s2robot power --p1 0.6 --p2 0.75
s2robot power --p1 0.6 --p2 0.75 --episodes 100    # the chance that so many show it
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from s2robot.commands.cli.parser import Parser
from s2robot.errors import UserError


def cli(words: Sequence[str]) -> None:
    """`s2robot power`."""
    parser = Parser(__name__, __doc__)
    parser.add_argument("--p1", type=float, required=True, help="success rate of one policy, e.g. 0.6")
    parser.add_argument("--p2", type=float, required=True, help="of the other")
    parser.add_argument("--power", type=float, default=0.8, help="chance to show it (default: 0.8)")
    parser.add_argument("--alpha", type=float, default=0.05, help="level of the test (default: 0.05)")
    correlated = "of the two outcomes on one start; above 0, fewer paired episodes are needed (default: 0)"
    parser.add_argument("--correlation", type=float, default=0.0, help=correlated)
    parser.add_argument("--episodes", type=int, help="of each policy: print the power that these have")
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    arguments = parser.parse_args(words)

    from s2robot.evaluation.power import paired_power, plan, unpaired_power

    if arguments.episodes is not None and arguments.episodes < 1:
        raise UserError(f"--episodes {arguments.episodes}: expected at least one")
    needed = plan(arguments.p1, arguments.p2, arguments.power, arguments.alpha, arguments.correlation)
    told: dict[str, Any] = asdict(needed)
    rates = f"{needed.p1:.1%} against {needed.p2:.1%}"
    lines = [
        f"to show {rates} with a chance of {needed.power:.0%}, p <= {needed.alpha:g}:",
        f"  same starts (s2robot compare, McNemar)  {needed.paired} episodes of each",
        f"  different starts                        {needed.unpaired} episodes of each",
    ]
    if arguments.episodes is not None:
        n = arguments.episodes
        told["episodes"] = n
        told["paired_power"] = paired_power(needed.p1, needed.p2, n, needed.alpha, needed.correlation)
        told["unpaired_power"] = unpaired_power(needed.p1, needed.p2, n, needed.alpha)
        lines.append(
            f"{n} episodes of each show it with a chance of {told['paired_power']:.0%} on the same starts, "
            f"of {told['unpaired_power']:.0%} on different ones"
        )
    print(json.dumps(told) if arguments.json else "\n".join(lines))
