import json

import pytest
import torch
from skimage import data

from s2robot.encoders.cameras import CameraEncoders
from s2robot.errors import UserError

FRAMES = data.astronaut()[None, :64, :64]


@pytest.fixture(scope="module")
def cameras() -> CameraEncoders:
    return CameraEncoders("lite0", (32, 64), {"wrist": (32,)}, device="cpu")


def test_sizes_are_each_cameras_own(cameras: CameraEncoders) -> None:
    assert cameras.feature_shape("front", (64, 64)) == (224, 2, 2)
    assert cameras.feature_shape("wrist", (64, 64)) == (112, 2, 2)
    for camera in ("front", "wrist"):
        assert cameras.encode(camera, FRAMES).map.shape[1:] == cameras.feature_shape(camera, (64, 64))
    assert torch.equal(cameras.encode("wrist", FRAMES).map, cameras.encode("front", FRAMES).map[:, :112])


def test_grids_are_each_cameras_own() -> None:
    own = CameraEncoders("lite0", (32, 64), device="cpu", output_grid=[4, 4], camera_grids={"wrist": [1, 2]})
    assert own.feature_shape("front", (64, 64)) == (224, 4, 4)
    assert own.feature_shape("wrist", (64, 64)) == (224, 1, 2)
    again = CameraEncoders.from_dict(json.loads(json.dumps(own.spec_dict())), device="cpu")
    assert again.spec_dict() == own.spec_dict() and again.named_cameras == ["wrist"]
    with pytest.raises(UserError, match=r"rows and columns of cells, e.g. \[28,28\], not \[28\]"):
        CameraEncoders("lite0", (32, 64), device="cpu", output_grid=[28])


def test_weights_are_shared(cameras: CameraEncoders) -> None:
    assert cameras.encoder("front").backend is cameras.encoder("wrist").backend
    assert cameras.encoder("front") is cameras.encoder("any other camera")


def test_comes_back_from_plain_data(cameras: CameraEncoders) -> None:
    plain = json.loads(json.dumps(cameras.spec_dict()))
    again = CameraEncoders.from_dict(plain, device="cpu")
    assert again.spec_dict() == cameras.spec_dict()
    assert torch.equal(again.encode("front", FRAMES).map, cameras.encode("front", FRAMES).map)


def test_precision_is_recorded() -> None:
    plain = CameraEncoders("lite0", (32,), device="cpu", backend="torch", precision="bfloat16").spec_dict()
    assert CameraEncoders.from_dict(plain, device="cpu").spec_dict() == plain


def test_other_weights_than_recorded_are_refused(cameras: CameraEncoders) -> None:
    plain = cameras.spec_dict()
    plain["base"] = plain["base"] | {"weights_sha256": "f" * 64}
    with pytest.raises(UserError, match="differs from the one recorded in weights_sha256"):
        CameraEncoders.from_dict(plain, device="cpu")


def test_sizes_that_do_not_fit_are_refused_when_it_is_made() -> None:
    with pytest.raises(UserError, match="near it: 48, 64"):
        CameraEncoders("lite0", (32,), {"wrist": (50,)}, device="cpu")


def test_oblong_frames_have_oblong_maps(cameras: CameraEncoders) -> None:
    assert cameras.feature_shape("front", (48, 96)) == (224, 2, 4)
    frames = data.astronaut()[None, :48, :96]
    assert cameras.encode("front", frames).map.shape == (1, 224, 2, 4)
