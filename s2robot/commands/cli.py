"""The `s2robot` command: everything that is not training or evaluating."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import yaml

from s2robot.commands.console import one_line_errors
from s2robot.errors import UserError, unknown_name


def main() -> None:
    """Parse the command line and run one command; mistakes are one line and status 2."""
    with one_line_errors():
        parser = build_parser()
        arguments = parser.parse_args()
        arguments.run(arguments)


class Parser(argparse.ArgumentParser):
    """argparse, but a mistake is one line that names the nearest command."""

    def error(self, message: str) -> None:  # type: ignore[override]
        raise UserError(f"{message}; see `{self.prog} --help`")

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is not None and value not in action.choices:
            raise unknown_name(str(action.metavar or action.dest), str(value), map(str, action.choices))


def build_parser() -> argparse.ArgumentParser:
    parser = Parser(prog="s2robot", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command", parser_class=Parser)

    collect = commands.add_parser("collect", help="demonstrations of the scripted expert, as robomimic HDF5")
    collect.add_argument("--env", required=True, help="environment id, e.g. s2robot/PickCube-v0")
    collect.add_argument("--episodes", type=int, default=120)
    collect.add_argument("--seed", type=int, default=0)
    collect.add_argument("--out", type=Path, required=True, help="HDF5 file to write")
    collect.add_argument("--workers", type=int, help="processes (default: one a core)")
    collect.add_argument("--image-size", type=int, nargs="+", metavar="N", help="pixels: N or H W")
    collect.add_argument("--cameras", type=lambda text: text.split(","), help="names, comma separated")
    collect.add_argument(
        "--env-kwargs", nargs="+", default=[], type=_assignment, metavar="NAME=VALUE", help="of the task"
    )
    collect.add_argument("--noise", type=float, help="of the executed action (default: the task's own)")
    collect.add_argument("--push-probability", type=float, help="of a push, a step (default: the task's own)")
    collect.add_argument("--keep-failures", action="store_true")
    collect.set_defaults(run=_collect)

    render = commands.add_parser("render", help="a dataset with images rendered anew from its states")
    render.add_argument("data", type=Path, help="robomimic HDF5 file with states")
    render.add_argument("--size", type=int, nargs="+", required=True, metavar="N", help="pixels: N or H W")
    render.add_argument("--cameras", type=lambda text: text.split(","), help="names (default: the file's)")
    render.add_argument("--out", type=Path, required=True, help="HDF5 file to write")
    render.set_defaults(run=_render)

    features = commands.add_parser("features", help="features of a dataset's frames, computed once")
    features.add_argument("data", type=Path, help="robomimic HDF5 file")
    features.add_argument("--encoder", default="lite0")
    features.add_argument("--sizes", type=_numbers, default=[224, 448], help="of S2, e.g. 224,448")
    features.add_argument(
        "--camera-sizes", nargs="+", default=[], metavar="CAMERA=N,N", help="sizes of its own"
    )
    features.add_argument("--cameras", type=lambda text: text.split(","), help="names (default: all)")
    features.add_argument("--grid", type=_numbers, metavar="GH,GW", help="cells (default: of the first size)")
    features.add_argument("--dtype", default="float16", help="float16 (default) or float32")
    features.add_argument("--views", type=int, default=1, help="of each frame, for training (default: 1)")
    features.add_argument("--view-shift", type=float, default=0.05, help="at most, of height and width")
    features.add_argument("--view-colour", type=float, default=0.2, help="brightness etc. times 1 -+ this")
    features.add_argument("--weights", type=Path, help="a file instead of the encoder's own weights")
    features.add_argument("--backend", default="auto", help="auto, torch, openvino or compile")
    features.add_argument("--device", default="auto")
    features.add_argument("--root", type=Path, help="folder of the stores (default: in the cache)")
    form = features.add_mutually_exclusive_group()
    form.add_argument("--plan", action="store_true", help="say what it would take, build nothing")
    form.add_argument("--verify", action="store_true", help="read what is stored and compare checksums")
    form.add_argument("--check", type=int, metavar="N", help="encode N random frames again and compare")
    features.add_argument("--tolerance", type=float, default=2e-3, help="of --check, relative (default 2e-3)")
    features.add_argument("--seed", type=int, default=0, help="of --check")
    features.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    features.set_defaults(run=_features)

    encoders = commands.add_parser("encoders", help="the encoders there are and what each costs on a frame")
    encoders.add_argument("names", nargs="*", help="default: all; also timm/<any name>")
    encoders.add_argument("--sizes", type=_numbers, default=[224, 448], help="of S2, e.g. 224,448")
    encoders.add_argument("--device", help="to measure on (default: the GPU if there is one)")
    encoders.add_argument("--json", action="store_true", help="one JSON list and nothing else")
    encoders.set_defaults(run=_encoders)

    report = commands.add_parser("report", help="report.html of a run")
    report.add_argument("run_dir", type=Path)
    report.set_defaults(run=_report)

    compare = commands.add_parser("compare", help="two evaluations on the same seeds: is one policy better?")
    compare.add_argument("a", type=Path, help="run folder, or evaluation folder RUN/eval/NAME")
    compare.add_argument("b", type=Path, help="the same of another policy")
    compare.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    compare.set_defaults(run=_compare)

    demo = commands.add_parser("demo", help="the whole path on PickCube: what `make demo` runs")
    demo.add_argument("--run-dir", type=Path, default=Path("runs/demo"))
    demo.add_argument("--demonstrations", type=int, default=120)
    demo.add_argument("--episodes", type=int, default=100, help="evaluated")
    demo.add_argument("options", nargs="*", help="for train.py, e.g. policy=diffusion_unet optim.steps=500")
    demo.set_defaults(run=_demo)

    doctor = commands.add_parser("doctor", help="what this machine has, and what is missing")
    doctor.set_defaults(run=_doctor)
    return parser


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _assignment(text: str) -> tuple[str, object]:
    """`cube_size=0.02` -> ("cube_size", 0.02); values as YAML has them."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, yaml.safe_load(value)


def _collect(arguments: argparse.Namespace) -> None:
    from s2robot.collecting.collect import Collection, collect
    from s2robot.rollouts.environment import check_rendering

    check_rendering()
    env_kwargs: dict[str, object] = dict(arguments.env_kwargs)
    if arguments.image_size is not None:
        size = arguments.image_size
        env_kwargs["image_size"] = size[0] if len(size) == 1 else size
    if arguments.cameras is not None:
        env_kwargs["cameras"] = arguments.cameras
    collection = Collection(
        env_id=arguments.env,
        episodes=arguments.episodes,
        seed=arguments.seed,
        env_kwargs=env_kwargs,
        noise=arguments.noise,
        push_probability=arguments.push_probability,
        keep_failures=arguments.keep_failures,
    )
    outcome = "wrote" if collect(collection, arguments.out, arguments.workers) else "found"
    size_mb = arguments.out.stat().st_size / 1e6
    print(f"{outcome} {arguments.out}: {arguments.episodes} demonstrations, {size_mb:.0f} MB")


def _render(arguments: argparse.Namespace) -> None:
    from s2robot.collecting.render import render
    from s2robot.rollouts.environment import check_rendering

    check_rendering()
    if len(arguments.size) > 2:
        raise UserError("--size takes N or H W")
    size = (arguments.size[0], arguments.size[-1])
    frames = render(arguments.data, arguments.out, size, arguments.cameras)
    print(f"wrote {arguments.out}: {frames} frames of {size[0]}x{size[1]}")


def _features(arguments: argparse.Namespace) -> None:
    from s2robot.commands.features import run

    run(arguments)


def _encoders(arguments: argparse.Namespace) -> None:
    from s2robot.encoders import ENCODERS
    from s2robot.encoders.costs import cost, table

    names = arguments.names or list(ENCODERS)
    if arguments.json:
        rows = [asdict(cost(name, arguments.sizes, arguments.device)) for name in names]
        print(json.dumps(rows))
        return
    known = [ENCODERS[name].name for name in names]  # an unknown one is refused before any is measured
    print(*table(known, arguments.sizes, arguments.device), sep="\n")
    print(
        "GFLOPs count a multiply-add as two; bytes are of float16; `no weights`: they are not on this machine"
    )


def _report(arguments: argparse.Namespace) -> None:
    from s2robot.evaluation.report import write_report

    print(f"wrote {write_report(arguments.run_dir)}")


def _compare(arguments: argparse.Namespace) -> None:
    from s2robot.evaluation.comparison import compare_folders, table

    comparison = compare_folders(arguments.a, arguments.b)
    if arguments.json:
        print(json.dumps({"a": str(arguments.a), "b": str(arguments.b), **asdict(comparison)}))
    else:
        print(*table(comparison, str(arguments.a), str(arguments.b)), sep="\n")


def _demo(arguments: argparse.Namespace) -> None:
    from s2robot.commands.demo import run_demo

    run_demo(arguments.run_dir, arguments.demonstrations, arguments.episodes, arguments.options)


def _doctor(arguments: argparse.Namespace) -> None:
    from s2robot.commands.doctor import diagnose

    findings = diagnose()
    for what, well, details in findings:
        print(f"{'ok     ' if well else 'MISSING'} {what:<10} {details}")
    if not all(well for _, well, _ in findings):
        raise UserError("something is missing, see above")
