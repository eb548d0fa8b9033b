"""Frames that carry their features: found again, or refused in one line."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from s2robot.encoders.cameras import CameraEncoders
from s2robot.errors import UserError
from s2robot.features import build, check_samples, sample, verify
from s2robot.types import CameraSpec
from tests.features.frame_cases import SIDE, CountingEncoders, Frames, stored_in


@pytest.fixture
def samples(
    tmp_path: Path, episodes: dict[str, np.ndarray], encoders: CountingEncoders
) -> dict[str, torch.Tensor]:
    source = Frames(episodes, "a")
    return sample(
        source, {"cam": build(source, "cam", encoders, stored_in(tmp_path), progress=False)}, count=4, seed=1
    )


def test_samples_are_frames_of_the_dataset_with_their_features(
    samples: dict[str, torch.Tensor], episodes: dict[str, np.ndarray], encoders: CountingEncoders
) -> None:
    everything = np.concatenate(list(episodes.values()))
    frames = samples["frames.cam"].numpy()
    assert frames.shape == (4, SIDE, SIDE, 3) and frames.dtype == np.uint8
    where = [int((everything == frame).all((1, 2, 3)).argmax()) for frame in frames]
    assert len(set(where)) == 4
    expected = encoders.encode("cam", everything[where]).map
    torch.testing.assert_close(samples["features.cam"].float(), expected, rtol=1e-3, atol=1e-3)


def test_they_are_found_again_one_by_one(
    tmp_path: Path, samples: dict[str, torch.Tensor], encoders: CountingEncoders
) -> None:
    save_file(samples, tmp_path / "samples.safetensors")
    encoders.frames_encoded = 0
    differences = verify(encoders, load_file(tmp_path / "samples.safetensors"))
    assert differences.keys() == {"cam"} and differences["cam"] < 1e-3
    assert encoders.frames_encoded == 4


def test_another_backend_is_within_tolerance(samples: dict[str, torch.Tensor]) -> None:
    fast = CameraEncoders("lite0", (SIDE,), backend="openvino", device="cpu")
    assert verify(fast, samples)["cam"] < 2e-3


def test_other_features_are_refused(samples: dict[str, torch.Tensor], encoders: CountingEncoders) -> None:
    changed = samples["features.cam"].clone()
    changed[2, 5, 0, 1] += 0.01 * changed.abs().max()
    with pytest.raises(UserError, match=r"features of cam differ by 0\.01 of the largest"):
        verify(encoders, samples | {"features.cam": changed})
    with pytest.raises(UserError, match="differ by nan"):
        verify(encoders, samples | {"features.cam": changed * torch.nan})
    with pytest.raises(UserError, match=r"\(112, 2, 2\) here and \(112, 1, 2\) where they were stored"):
        verify(encoders, samples | {"features.cam": changed[:, :, :1]})


def test_other_frames_are_noticed(samples: dict[str, torch.Tensor], encoders: CountingEncoders) -> None:
    brighter = (samples["frames.cam"].float() * 0.9).to(torch.uint8)
    with pytest.raises(UserError, match="differ by"):
        verify(encoders, samples | {"frames.cam": brighter})


def test_more_than_there_are_is_all_and_none_is_refused(
    tmp_path: Path, episodes: dict[str, np.ndarray], encoders: CountingEncoders
) -> None:
    source = Frames({"demo_0": episodes["demo_0"]}, "a")
    tables = {"cam": build(source, "cam", encoders, stored_in(tmp_path), progress=False)}
    assert len(sample(source, tables, count=99)["frames.cam"]) == 3
    with pytest.raises(UserError, match="1 frame or more can be checked, not 0"):
        sample(source, tables, count=0)


SEEN = {"cam": CameraSpec("cam_image", (4, 5), (2, 1, 1), prefix=(3, 2))}
FEW = {
    "frames.cam": torch.zeros(2, 4, 5, 3, dtype=torch.uint8),
    "features.cam": torch.zeros(2, 2, 1, 1),
    "prefix.cam": torch.zeros(2, 3, 2),
}


def test_frames_of_every_camera_are_there() -> None:
    check_samples(FEW, SEEN)
    check_samples({}, {})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"frames.cam": None}, "lack frames.cam"),
        ({"features.cam": None}, "lack features.cam"),
        ({"prefix.cam": None}, "lack prefix.cam"),
        ({"frames.cam": torch.zeros(0, 4, 5, 3)}, r"of shape \[0, 4, 5, 3\], expected 1 to 64"),
        ({"frames.cam": torch.zeros(65, 4, 5, 3)}, r"of shape \[65, 4, 5, 3\], expected 1 to 64"),
        ({"frames.cam": torch.zeros(2, 4, 6, 3)}, r"of shape \[2, 4, 6, 3\]"),
        ({"frames.cam": torch.zeros(2, 4, 5, 3)}, "not uint8"),
        ({"features.cam": torch.zeros(1, 2, 1, 1)}, "not uint8 frames with the features of each"),
    ],
)
def test_frames_that_are_no_proof_are_refused(change: dict[str, torch.Tensor | None], told: str) -> None:
    samples = {name: tensor for name, tensor in (FEW | change).items() if tensor is not None}
    with pytest.raises(UserError, match=told):
        check_samples(samples, SEEN)
