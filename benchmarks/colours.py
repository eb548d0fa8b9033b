"""Whether the features of one cell say which colour stands there: `benchmarks/colours.py`.

    python benchmarks/colours.py --encoder "encoder.sizes=[224,448] encoder.output_grid=[28,28]"

First frames of PlaceByColour. The cells over the part and the four slots are found with the simulator's
camera. A ridge regression that was fitted to other starts names their colour. The right one of the four slots
is chosen by its similarity to the part: of the features as they are, and by a comparison that was learned
in other starts, where only the right slot was told. A guess is right in 25%. It bounds what a head could read
if it knew where to look. See docs/evidence.md.
"""

import argparse
from typing import Any

import numpy as np
import torch
from diagnosis.demonstrations import make
from torch import Tensor
from torch.nn import functional

from envs.tasks.place_by_colour import SLOTS
from s2robot.commands.cli.entry import options_of
from s2robot.encoders.cameras import CameraEncoders

ENV_ID, CAMERA, FIRST_SEED, ENCODED = "s2robot/PlaceByColour-v0", "agentview", 200_000, 16
RIDGE = 100.0
RANK, STEPS, BATCH, LEARNING_RATE, WEIGHT_DECAY = 8, 600, 64, 3e-3, 0.1  # of the learned comparison
ENCODERS = ["encoder.sizes=[224]", "encoder.sizes=[224,448] encoder.output_grid=[28,28]"]


def seen_at(task: Any, points_m: np.ndarray) -> np.ndarray:
    """Where the camera sees world points (n, 3): (n, 2), x and y as shares of a square image."""
    model, data = task.model, task.data
    camera = model.camera(CAMERA).id
    local = (points_m - data.cam_xpos[camera]) @ data.cam_xmat[camera].reshape(3, 3)  # looks along -z
    focal = 0.5 / np.tan(np.radians(model.cam_fovy[camera]) / 2)
    return 0.5 + focal * np.stack([local[:, 0], -local[:, 1]], axis=1) / -local[:, 2:]


def cells(words: str, count: int) -> tuple[Tensor, Tensor]:
    """Features "n 5 c" of the cells over the part and each slot in so many starts, and the right slot."""
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
            places.append(seen_at(task, np.stack([task.data.body(name).xpos for name in ("part", *SLOTS)])))
            colours.append(SLOTS.index(task.slot()))
        maps = encoders.encode(CAMERA, np.stack(frames)).map.float()  # n c gh gw
        size = torch.tensor([maps.shape[3], maps.shape[2]])
        x, y = (torch.tensor(np.stack(places)) * size).long().unbind(-1)  # n 5
        found.append(maps[torch.arange(len(maps))[:, None], :, y, x])
    env.close()
    return torch.cat(found), torch.tensor(colours)


def standardised(features: Tensor, train: int) -> Tensor:
    """Features "n *k c" by mean and deviation of each channel in the first `train` starts."""
    known = features[:train].flatten(0, -2)
    return (features - known.mean(0)) / (known.std(0) + 1e-6)


def part_and_slots(features: Tensor, train: int) -> tuple[Tensor, Tensor]:
    """The cells over the part "n 1 c" and over the slots "n 4 c", each standardised for themselves."""
    part, slots = features.split([1, len(SLOTS)], dim=1)
    return standardised(part, train), standardised(slots, train)


def named(features: Tensor, colours: Tensor, train: int) -> float:
    """Share of the starts after the first `train` whose colour a ridge regression on these names."""
    inputs = torch.cat([standardised(features, train), torch.ones(len(features), 1)], dim=1)
    wanted = functional.one_hot(colours, len(SLOTS)).float()
    known = inputs[:train]
    ridge = RIDGE * torch.eye(known.shape[1])
    weights = torch.linalg.solve(known.T @ known + ridge, known.T @ wanted[:train])
    return share(inputs[train:] @ weights, colours[train:])


def similar(features: Tensor, colours: Tensor, train: int) -> float:
    """How often the slot whose features are most like the part's is right, in the same starts."""
    part, slots = (functional.normalize(cells, dim=-1) for cells in part_and_slots(features, train))
    return share((part * slots).sum(-1)[train:], colours[train:])


def compared(features: Tensor, colours: Tensor, train: int) -> float:
    """The same with a bilinear comparison of low rank, learned in the first `train` starts."""
    torch.manual_seed(0)
    part, slots = part_and_slots(features, train)
    asks, answers = (torch.nn.Linear(features.shape[2], RANK) for _ in range(2))
    layers = torch.nn.ModuleList([asks, answers])
    optimiser = torch.optim.AdamW(layers.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    for _ in range(STEPS):
        rows = torch.randint(train, (BATCH,))
        logits = (asks(part[rows]) * answers(slots[rows])).sum(-1)
        optimiser.zero_grad()
        functional.cross_entropy(logits, colours[rows]).backward()
        optimiser.step()
    return share((asks(part[train:]) * answers(slots[train:])).sum(-1), colours[train:])


def share(scores: Tensor, right: Tensor) -> float:
    """How often the highest score "n k" is that of the right one "n"."""
    return float((scores.argmax(1) == right).float().mean())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--encoder", nargs="+", default=ENCODERS, help="options of `s2robot train` for each")
    parser.add_argument("--starts", type=int, default=500, help="that both are fitted to")
    parser.add_argument("--test", type=int, default=300, help="unseen starts")
    given = parser.parse_args()
    for words in given.encoder:
        features, colours = cells(words, given.starts + given.test)
        starts = torch.arange(len(features))
        part, slot = features[:, 0], features[starts, 1 + colours]
        print(
            f"{words}: colour of the part right in {named(part, colours, given.starts):.1%}, "
            f"of its slot in {named(slot, colours, given.starts):.1%}; "
            f"the right slot is most similar in {similar(features, colours, given.starts):.1%}, "
            f"by a learned comparison in {compared(features, colours, given.starts):.1%}",
            flush=True,
        )


if __name__ == "__main__":
    main()
