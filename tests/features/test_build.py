"""No frame is encoded twice, whatever happens between two builds."""

import dataclasses
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from s2robot.datasets import open_dataset
from s2robot.errors import UserError
from s2robot.features import batches, build, build_with_report, make_plan, place, tiers
from s2robot.features.table import FeatureTable
from s2robot.types import Features
from tests.features.frame_cases import SIDE, CountingEncoders, Frames, random_frames, records_in, stored_in


def expected_features(encoders: CountingEncoders, episodes: dict[str, np.ndarray]) -> torch.Tensor:
    return encoders.encoder("cam").encode(np.concatenate(list(episodes.values()))).map


def all_frames(table: FeatureTable) -> torch.Tensor:
    return table.gather(torch.arange(len(table))[:, None]).map[:, 0]


def test_features_are_the_encoders(
    tmp_path: Path, episodes: dict[str, np.ndarray], encoders: CountingEncoders
) -> None:
    table, report = build_with_report(Frames(episodes, "a"), "cam", encoders, stored_in(tmp_path))

    torch.testing.assert_close(
        all_frames(table).float(), expected_features(encoders, episodes), rtol=1e-3, atol=1e-3
    )
    assert table.shape == encoders.feature_shape("cam", (SIDE, SIDE))
    assert table.offsets.tolist() == [0, 3, 7, 12, 18]
    assert (report.frames_encoded, report.frames_found) == (18, 0)
    assert report.bytes == 18 * 112 * 2 * 2 * 2  # frames x channels x cells x fp16


def test_second_build_reads_and_encodes_nothing(
    tmp_path: Path,
    episodes: dict[str, np.ndarray],
    encoders: CountingEncoders,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = Frames(episodes, "a")
    first = build(source, "cam", encoders, stored_in(tmp_path))
    source.read, encoders.frames_encoded = [], 0

    second = build(source, "cam", encoders, stored_in(tmp_path))

    assert not source.read and encoders.frames_encoded == 0
    assert torch.equal(all_frames(first), all_frames(second))
    assert "0 frames encoded, 18 found" in capsys.readouterr().out


def test_same_frames_are_encoded_once(tmp_path: Path, encoders: CountingEncoders) -> None:
    still = np.repeat(random_frames(1, seed=0), 5, axis=0)
    table = build(Frames({"demo_0": still, "demo_1": still[:2]}, "a"), "cam", encoders, stored_in(tmp_path))
    assert encoders.frames_encoded == 1
    assert len(table) == 7
    assert (all_frames(table) == all_frames(table)[0]).all()


def test_reordered_and_renamed_demonstrations_are_found(
    tmp_path: Path, episodes: dict[str, np.ndarray], encoders: CountingEncoders
) -> None:
    first = all_frames(build(Frames(episodes, "a"), "cam", encoders, stored_in(tmp_path)))
    encoders.frames_encoded = 0
    renamed = {f"demo_{9 - i}": frames for i, frames in enumerate(reversed(episodes.values()))}

    again = build(Frames(renamed, "b"), "cam", encoders, stored_in(tmp_path))

    assert encoders.frames_encoded == 0
    assert torch.equal(all_frames(again)[:6], first[12:])


def test_new_demonstrations_alone_are_encoded(
    tmp_path: Path, episodes: dict[str, np.ndarray], encoders: CountingEncoders
) -> None:
    build(Frames(episodes, "a"), "cam", encoders, stored_in(tmp_path))
    encoders.frames_encoded = 0
    more = episodes | {"demo_4": random_frames(2, seed=9)}
    table = build(Frames(more, "b"), "cam", encoders, stored_in(tmp_path))
    assert encoders.frames_encoded == 2
    torch.testing.assert_close(
        all_frames(table).float(), expected_features(encoders, more), rtol=1e-3, atol=1e-3
    )


def test_other_settings_make_another_store(tmp_path: Path, episodes: dict[str, np.ndarray]) -> None:
    folders = set()
    for settings in (
        {"sizes": (SIDE,)},
        {"sizes": (SIDE, 2 * SIDE)},
        {"sizes": (SIDE,), "antialias": False},
        {"sizes": (SIDE,), "output_grid": (1, 1)},
    ):
        own = CountingEncoders("lite0", **settings, backend="torch", device="cpu")
        _, report = build_with_report(Frames(episodes, "a"), "cam", own, stored_in(tmp_path))
        assert report.frames_encoded == 18
        folders.add(report.folder)
    assert len(folders) == 4
    _, report = build_with_report(Frames(episodes, "a"), "cam", own, stored_in(tmp_path, dtype="float32"))
    assert report.folder not in folders and report.frames_encoded == 18


def test_backend_is_no_part_of_the_key(
    tmp_path: Path, episodes: dict[str, np.ndarray], encoders: CountingEncoders
) -> None:
    build(Frames(episodes, "a"), "cam", encoders, stored_in(tmp_path))
    fast = CountingEncoders("lite0", sizes=(SIDE,), backend="openvino", device="cpu")
    _, report = build_with_report(Frames(episodes, "a"), "cam", fast, stored_in(tmp_path))
    assert report.frames_encoded == 0


GPU_GONE = torch.AcceleratorError("CUDA error: unspecified launch failure")


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), GPU_GONE])
def test_interrupted_build_goes_on(
    failure: BaseException,
    tmp_path: Path,
    episodes: dict[str, np.ndarray],
    encoders: CountingEncoders,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batches, "COMMIT_INTERVAL_S", 0)
    monkeypatch.setattr(batches, "BATCH_FRAMES", 7)
    encoders.fails_after, encoders.failure = 7, failure  # the first of three batches
    with pytest.raises(type(failure)):
        build(Frames(episodes, "a"), "cam", encoders, stored_in(tmp_path))
    encoders.fails_after, encoders.frames_encoded = None, 0

    table, report = build_with_report(Frames(episodes, "a"), "cam", encoders, stored_in(tmp_path))

    assert (report.frames_encoded, report.frames_found) == (11, 7)
    torch.testing.assert_close(
        all_frames(table).float(), expected_features(encoders, episodes), rtol=1e-3, atol=1e-3
    )


KILLED_BUILD = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from tests.features.frame_cases import CountingEncoders, Frames, SIDE, random_frames, stored_in
from s2robot.features import batches, build
batches.COMMIT_INTERVAL_S, batches.WRITES_AHEAD, batches.BATCH_FRAMES = 0, 0, 7
class Killed(CountingEncoders):
    def encode(self, camera, images):
        if self.frames_encoded >= 7:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().encode(camera, images)
episodes = {{f"demo_{{i}}": random_frames(3 + i, seed=i) for i in range(4)}}
encoders = Killed("lite0", sizes=(SIDE,), backend="torch", device="cpu")
build(Frames(episodes, "a"), "cam", encoders, stored_in({root!r}))
"""


def test_killed_build_goes_on(
    tmp_path: Path,
    episodes: dict[str, np.ndarray],
    encoders: CountingEncoders,
    request: pytest.FixtureRequest,
) -> None:
    script = KILLED_BUILD.format(tests=str(request.path.parents[2]), root=str(tmp_path))
    killed = subprocess.run([sys.executable, "-c", script], capture_output=True)
    assert killed.returncode == -9, killed.stderr

    table, report = build_with_report(Frames(episodes, "a"), "cam", encoders, stored_in(tmp_path))

    assert (report.frames_encoded, report.frames_found) == (11, 7)
    torch.testing.assert_close(
        all_frames(table).float(), expected_features(encoders, episodes), rtol=1e-3, atol=1e-3
    )


def test_two_builders_at_once_share_the_work(
    tmp_path: Path,
    episodes: dict[str, np.ndarray],
    encoders: CountingEncoders,
    request: pytest.FixtureRequest,
) -> None:
    script = KILLED_BUILD.format(tests=str(request.path.parents[2]), root=str(tmp_path)).replace(
        ">= 7", "> 99"
    )
    other = subprocess.Popen([sys.executable, "-c", script])
    table, report = build_with_report(Frames(episodes, "a"), "cam", encoders, stored_in(tmp_path))
    assert other.wait() == 0
    torch.testing.assert_close(
        all_frames(table).float(), expected_features(encoders, episodes), rtol=1e-3, atol=1e-3
    )
    assert len(records_in(report.folder)) == 18  # every frame has one record


def test_features_that_are_not_finite_are_named(
    tmp_path: Path, episodes: dict[str, np.ndarray], encoders: CountingEncoders
) -> None:
    class Broken(CountingEncoders):
        def encode(self, camera: str, images: np.ndarray | torch.Tensor) -> Features:
            features = super().encode(camera, images)
            features.map[7 + 3, 0, 0, 0] = 1e6  # beyond float16
            return features

    broken = Broken("lite0", sizes=(SIDE,), backend="torch", device="cpu")
    with pytest.raises(UserError, match="a: features of cam, demo_2, frame 3 are not finite"):
        build(Frames(episodes, "a"), "cam", broken, stored_in(tmp_path))


def test_frames_of_wrong_range_type_or_size_are_named(
    tmp_path: Path, episodes: dict[str, np.ndarray], encoders: CountingEncoders
) -> None:
    binary = random_frames(2, seed=0) // 128
    with pytest.raises(UserError, match="a: cam in demo_0 holds only 0 and 1, expected 0 to 255"):
        build(Frames({"demo_0": binary}, "a"), "cam", encoders, stored_in(tmp_path))
    with pytest.raises(UserError, match="b: frames 0 to 1 of cam in demo_0 were read as float64 of shape"):
        build(Frames({"demo_0": random_frames(2, 0) / 255}, "b"), "cam", encoders, stored_in(tmp_path))
    smaller = episodes | {"demo_9": np.zeros((2, 16, 16, 3), np.uint8)}
    message = r"demo_9 were read as uint8 of shape \(2, 16, 16, 3\), expected uint8 of shape \(2, 32, 32, 3\)"
    with pytest.raises(UserError, match=message):
        build(Frames(smaller, "c"), "cam", encoders, stored_in(tmp_path))


def test_real_demonstrations(tmp_path: Path, demos_path: Path) -> None:
    demos = open_dataset(demos_path)
    own = CountingEncoders("lite0", (32, 64), {"robot0_eye_in_hand": (32,)}, device="cpu")
    for camera, channels in (("agentview", 224), ("robot0_eye_in_hand", 112)):
        table = build(demos, camera, own, stored_in(tmp_path))
        assert table.shape == (channels, 2, 2)
        assert len(table) == sum(demos.lengths)
        assert table.offsets.tolist() == demos.offsets.tolist()
    encoded = own.frames_encoded
    build(open_dataset(demos_path), "agentview", own, stored_in(tmp_path))
    assert own.frames_encoded == encoded <= 2 * sum(demos.lengths)


def test_the_plan_and_a_training_choose_the_same_tier(
    tmp_path: Path,
    episodes: dict[str, np.ndarray],
    encoders: CountingEncoders,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, cameras = Frames(episodes, "a"), ["left", "right"]
    memory = SimpleNamespace(available=0)
    monkeypatch.setattr(tiers, "RAM_SHARE", 1.0)
    monkeypatch.setattr(tiers.psutil, "virtual_memory", lambda: memory)
    tables = {camera: build(source, camera, encoders, stored_in(tmp_path)) for camera in cameras}
    one = tables["left"].nbytes
    for available, tier in ((one, "disk"), (2 * one - 1, "disk"), (2 * one, "ram")):
        memory.available = available
        assert make_plan(source, cameras, encoders, stored_in(tmp_path)).tier == tier
        placed = place(tables, "cpu")
        assert all((placed[camera] is tables[camera]) == (tier == "disk") for camera in cameras)
    assert make_plan(source, cameras, encoders, stored_in(tmp_path, tier="disk")).tier == "disk"


def test_report_is_plain_data(
    tmp_path: Path, episodes: dict[str, np.ndarray], encoders: CountingEncoders
) -> None:
    _, report = build_with_report(Frames(episodes, "a"), "cam", encoders, stored_in(tmp_path))
    assert {"frames_encoded", "frames_found", "bytes", "seconds"} <= dataclasses.asdict(report).keys()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_the_plan_of_a_gpu_waits_for_the_encoder(tmp_path: Path, episodes: dict[str, np.ndarray]) -> None:
    on_gpu = CountingEncoders("lite0", sizes=(SIDE,), backend="torch", device="cuda")
    source = Frames(episodes, "a")
    (plan,) = make_plan(source, ["cam"], on_gpu, stored_in(tmp_path), "cuda").cameras
    batch = np.resize(episodes["demo_0"], (batches.BATCH_FRAMES, SIDE, SIDE, 3))
    seconds = []
    for _ in range(5):
        torch.cuda.synchronize()
        start = time.perf_counter()
        on_gpu.encode("cam", batch)
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - start)
    assert plan.frame_s * batches.BATCH_FRAMES > 0.5 * min(seconds)
