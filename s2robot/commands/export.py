"""Export a trained policy with its encoder as one file that runs with PyTorch alone (torch.export).

s2robot export runs/demo --out policy.pt2
s2robot export runs/flow/checkpoints/best --out policy.pt2 --set inference_steps=4
s2robot export runs/demo --out policy.onnx

The last is for ONNX Runtime. policy.json (policy.onnx.json) beside it says what goes in and comes out.
"""

from collections.abc import Sequence
from pathlib import Path

from s2robot.commands.cli.parser import Parser
from s2robot.commands.cli.policies import add_acting, add_path


def cli(words: Sequence[str]) -> None:
    """`s2robot export`."""
    parser = Parser(__name__, __doc__)
    add_path(parser)
    told = "the new file, whose name ends in .pt2, or in .onnx for ONNX Runtime"
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help=told)
    add_acting(parser)
    arguments = parser.parse_with_plugins(words)

    from s2robot.deploy.export import description_of, export

    description = export(arguments.path, arguments.out, dict(arguments.set), arguments.weights)
    inputs = ", ".join(f"{one['name']} {one['dtype']} {one['shape']}" for one in description["inputs"])
    outputs = ", ".join(f"{one['name']} {one['shape']}" for one in description["outputs"])
    print(f"wrote {arguments.out}: {inputs} -> {outputs}; see {description_of(arguments.out).name}")
