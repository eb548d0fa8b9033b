"""What a policy looks at: where a keypoint is, what attention weighs, and that a rollout notes it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from s2robot.encoders.cameras import CameraEncoders
from s2robot.policies import make_policy
from s2robot.policies.heads import HEADS, CameraShape
from s2robot.policies.options.bc import BCConfig
from s2robot.rollouts.agent import Agent
from s2robot.rollouts.decisions import read_decisions
from s2robot.rollouts.episodes import run_episodes
from s2robot.rollouts.looking import LEVELS, Look, look
from s2robot.rollouts.video import BORDER, corners, frame_shape
from s2robot.types import CameraSpec, Spec
from tests.rollouts.tiny_actor import TinyActor
from tests.rollouts.tiny_env import SIZES, TINY
from tests.tiny_vit import NAME, random_vit


def test_a_keypoint_is_the_centre_of_the_cell_that_has_all_the_weight() -> None:
    weights = np.zeros((2, 4, 5), np.float32)
    weights[0, 3, 1] = 1
    weights[1, 0, 0] = weights[1, 0, 4] = 0.5

    found = look(weights, as_keypoints=True)

    assert found.keypoints == [[0.3, 0.875, 1.0], [0.5, 0.125, 0.5]]  # the least spread first
    assert np.array(found.map)[[3, 0, 0, 1], [1, 0, 4, 2]].tolist() == [LEVELS, 50, 50, 0]
    assert look(weights, as_keypoints=False) == Look(found.map, [])


@pytest.mark.parametrize("name", HEADS)
def test_every_head_weighs_the_cells_or_says_that_it_does_not(name: str) -> None:
    torch.manual_seed(0)
    shape = CameraShape(16, (3, 4), prefix=(1, 16), proprio=2)
    head, maps = HEADS[name](shape), torch.randn(2, 16, 3, 4)

    weights = head.look(maps)

    if weights is None:
        assert not head.gives_keypoints
        return
    assert weights.shape[0] == 2 and weights.shape[2] == 12
    torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:2]))


def test_keypoints_are_what_the_head_gives_the_policy() -> None:
    torch.manual_seed(0)
    head, maps = HEADS["spatial_softmax"](CameraShape(16, (3, 4))), 5 * torch.randn(1, 16, 3, 4)
    with torch.no_grad():
        given, weights = head(maps).view(-1, 2), head.look(maps)
    assert weights is not None
    found = look(weights[0].view(-1, 3, 4).numpy(), as_keypoints=True)
    peaks = weights[0].max(-1).values.argsort(descending=True, stable=True)[: len(found.keypoints)]
    places = 2 * np.array(found.keypoints)[:, :2] - 1  # in [-1, 1], as the head has them
    np.testing.assert_allclose(places, given[peaks].numpy(), atol=2e-3)


class LookingActor(TinyActor):
    """Looks at where the dot is, in the camera that it reads."""

    def look(self, row: int) -> dict[str, Any]:
        return {"agentview_image": Look([[0, 99]], [[float(self.seen[-1]["pos"][row, -1, 0]), 0.5, 1.0]])}


def test_a_rollout_notes_it_for_each_decision_of_a_filmed_episode(tmp_path: Path) -> None:
    run_episodes(LookingActor(), TINY, [3, 1], workers=1, batch=2, record=1, video_dir=tmp_path, look=True)

    found = read_decisions(tmp_path / "seed_3.mp4")

    assert found is not None and found.layout is not None
    looked = [one.looks["agentview"].keypoints[0][0] for one in found.decisions]
    assert len(looked) > 2 and len(set(looked)) > 1
    (first, second), height = SIZES.values(), 8
    shapes = [(*first, 3), (*second, 3)]
    height, width, _ = frame_shape(shapes)
    (left, top), _ = corners(shapes)
    assert list(found.layout.size) == [width, height] and left == BORDER
    assert list(found.layout.views["agentview"]) == [left, top, first[1], first[0]]
    assert read_decisions(tmp_path / "seed_1.mp4") is None


def test_what_was_encoded_for_the_decision_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames of two episodes; looking at the second encodes nothing, and the first has no say."""
    file = random_vit(tmp_path / "vit.safetensors")
    encoders = CameraEncoders(NAME, [16], weights=file, device="cpu", backend="torch")
    camera = CameraSpec("agentview_image", (16, 16), encoders.feature_shape("agentview", (16, 16)))
    policy = make_policy(Spec("", {}, 2, {}, {"agentview": camera}), BCConfig(head="spatial_softmax"))
    agent = Agent(policy, encoders, torch.device("cpu"))
    frames = np.random.default_rng(0).integers(0, 256, (2, 1, 16, 16, 3), dtype=np.uint8)
    encoded = []

    def encode(self: CameraEncoders, name: str, images: np.ndarray) -> Any:
        encoded.append(len(images))
        return plain(self, name, images)

    plain = CameraEncoders.encode
    monkeypatch.setattr(CameraEncoders, "encode", encode)
    generators = [torch.Generator() for _ in range(2)]
    agent.act({"agentview_image": frames}, [None, None], generators)
    second = agent.look(1)
    assert encoded == [2]
    agent.act({"agentview_image": frames[1:]}, [None], generators[:1])
    assert agent.look(0) == second
