"""Whether the features of one cell say which colour stands there: `benchmarks/colours.py`.

    python benchmarks/colours.py --encoder "encoder.sizes=[224,448] encoder.output_grid=[28,28]"

First frames of PlaceByColour. The cells over part and slot are found with the simulator's camera,
and a ridge regression that was fitted to other starts names their colour: a guess is right in 25%. It bounds
what a head could read if it knew where to look. See docs/evidence.md.
"""

import argparse
from typing import Any

import numpy as np
import torch
from diagnosis.demonstrations import make
from torch import Tensor

from envs.tasks.place_by_colour import SLOTS
from s2robot.commands.cli.entry import options_of
from s2robot.encoders.cameras import CameraEncoders

ENV_ID, CAMERA, FIRST_SEED, ENCODED = "s2robot/PlaceByColour-v0", "agentview", 200_000, 16
RIDGE = 100.0
ENCODERS = ["encoder.sizes=[224]", "encoder.sizes=[224,448] encoder.output_grid=[28,28]"]


def seen_at(task: Any, points_m: np.ndarray) -> np.ndarray:
    """Where the camera sees world points (n, 3): (n, 2), x and y as shares of a square image."""
    model, data = task.model, task.data
    camera = model.camera(CAMERA).id
    local = (points_m - data.cam_xpos[camera]) @ data.cam_xmat[camera].reshape(3, 3)  # looks along -z
    focal = 0.5 / np.tan(np.radians(model.cam_fovy[camera]) / 2)
    return 0.5 + focal * np.stack([local[:, 0], -local[:, 1]], axis=1) / -local[:, 2:]


def cells(words: str, count: int) -> tuple[Tensor, np.ndarray]:
    """Features "n 2 c" of the cells over part and slot in so many starts, and which colour it is, (n,)."""
    config = options_of("train", ["data.path=none", "run_dir=none", *words.split()])
    encoders = CameraEncoders.from_config(config.encoder, torch.device("cpu"))
    env = make(ENV_ID)
    task: Any = env.unwrapped
    found, colours = [], []
    for first in range(0, count, ENCODED):
        frames, places = [], []
        for seed in range(first, min(first + ENCODED, count)):
            env.reset(seed=FIRST_SEED + seed)
            frames.append(task.observe((CAMERA,))[f"{CAMERA}_image"])
            places.append(seen_at(task, np.stack([task.data.body("part").xpos, task.goal_pose()[0]])))
            colours.append(SLOTS.index(task.slot()))
        maps = encoders.encode(CAMERA, np.stack(frames)).map.float()  # n c gh gw
        size = torch.tensor([maps.shape[3], maps.shape[2]])
        x, y = (torch.tensor(np.stack(places)) * size).long().unbind(-1)  # n 2
        found.append(maps[torch.arange(len(maps))[:, None], :, y, x])
    env.close()
    return torch.cat(found), np.array(colours)


def right(features: Tensor, colours: np.ndarray, train: int) -> float:
    """Share of the starts after the first `train` whose colour a ridge regression on these names."""
    mean, deviation = features[:train].mean(0), features[:train].std(0) + 1e-6
    inputs = torch.cat([(features - mean) / deviation, torch.ones(len(features), 1)], dim=1)
    wanted = torch.nn.functional.one_hot(torch.from_numpy(colours), len(SLOTS)).float()
    known = inputs[:train]
    ridge = RIDGE * torch.eye(known.shape[1])
    weights = torch.linalg.solve(known.T @ known + ridge, known.T @ wanted[:train])
    return float(((inputs[train:] @ weights).argmax(1).numpy() == colours[train:]).mean())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--encoder", nargs="+", default=ENCODERS, help="options of `s2robot train` for each")
    parser.add_argument("--starts", type=int, default=500, help="that the regression is fitted to")
    parser.add_argument("--test", type=int, default=300, help="unseen starts")
    given = parser.parse_args()
    for words in given.encoder:
        features, colours = cells(words, given.starts + given.test)
        part, slot = (right(features[:, i], colours, given.starts) for i in range(2))
        print(f"{words}: colour of the part right in {part:.1%}, of its slot in {slot:.1%}", flush=True)


if __name__ == "__main__":
    main()
