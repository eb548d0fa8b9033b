"""What `s2robot doctor` finds on machines that lack something."""

import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement

from s2robot.commands import doctor
from s2robot.errors import UserError
from s2robot.machine import compute, packages, rendering, storage, video
from s2robot.machine.finding import Finding


def picture() -> dict[str, np.ndarray]:
    """The frames of a renderer that does everything right."""
    half = rendering.SIZE // 2
    rows = [list(rendering.QUARTERS.values())[:2], list(rendering.QUARTERS.values())[2:]]
    quarters = np.kron(np.array(rows, np.uint8), np.ones((half, half, 1), np.uint8))
    wall = np.full((rendering.SIZE, rendering.SIZE, 3), rendering.WALL, np.uint8)
    return {"quarters": quarters, "wall": wall}


def test_the_known_scene_is_drawn_rightly_here() -> None:
    (found,) = [finding for finding in rendering.findings() if finding.what == "rendering"]
    assert found.ok, found
    assert "MUJOCO_GL=" in found.details and "known scene and cameras right" in found.details


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda frames: frames | {"quarters": frames["quarters"][::-1]}, "upper left is [0, 0, 255]"),
        (lambda frames: frames | {"quarters": frames["quarters"][:, ::-1]}, "upper left is [0, 255, 0]"),
        (lambda frames: frames | {"quarters": frames["quarters"][..., ::-1]}, "upper left is [0, 0, 255]"),
        (
            lambda frames: {camera: frame * 0 for camera, frame in frames.items()},
            "second camera is [0, 0, 0]",
        ),
        (lambda frames: frames | {"wall": frames["quarters"]}, "second camera"),
    ],
    ids=["upside-down", "mirrored", "BGR", "black", "cameras mixed up"],
)
def test_wrong_frames_are_told_apart(spoil, told: str) -> None:  # type: ignore[no-untyped-def]
    assert rendering.wrong_places(picture()) == ""
    assert told in rendering.wrong_places(spoil(picture()))


def test_a_cache_that_cannot_be_written_says_how_to_have_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S2ROBOT_CACHE", "/proc/cache")
    cache = storage.findings()[0]
    assert not cache.ok and "/proc/cache cannot be written" in cache.details and "S2ROBOT_CACHE" in cache.mend


def test_a_full_disk_is_a_remark(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("S2ROBOT_CACHE", str(tmp_path / "not" / "there" / "yet"))
    assert storage.findings()[0] == Finding("cache", storage.findings()[0].details)
    monkeypatch.setattr(storage, "LITTLE_ROOM", 2**60)
    assert storage.findings()[0].ok and "make room" in storage.findings()[0].mend


def test_packages_that_clash_or_miss_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    needs = {"s2robot": [Requirement("numpy<1"), Requirement("no-such-package")]}
    monkeypatch.setattr(packages, "_requirements", lambda name: needs.get(name, []))
    clash, missing = packages._clashes()
    version = importlib.metadata.version("numpy")
    assert not clash.ok and clash.details == f"s2robot needs numpy<1, and {version} is installed"
    assert not missing.ok and missing.mend == "pip install 'no-such-package'"


def test_a_missing_robomimic_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "NEEDS_NO_REQUIREMENTS", "no-such-package")
    assert not packages._robomimic().ok and "--no-deps" in packages._robomimic().mend


def test_a_cpu_build_of_torch_beside_a_driver_is_a_remark(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(compute.torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(compute.torch.version, "cuda", None)
    (tmp_path / "version").touch()
    monkeypatch.setattr(compute, "NVIDIA_DRIVER", tmp_path / "version")
    (found,) = compute._gpus()
    assert found.ok and "is a CPU build" in found.details and "pytorch.org" in found.mend
    monkeypatch.setattr(compute.torch.version, "cuda", "13.0")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    assert "CUDA_VISIBLE_DEVICES='7'" in compute._gpus()[0].mend


def test_an_ffmpeg_that_cannot_write_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert video.findings()[0].ok
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "/bin/false")
    (found,) = video.findings()
    assert not found.ok and "IMAGEIO_FFMPEG_EXE" in found.mend


def test_the_command_prints_each_finding_and_fails_when_one_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    there = [Finding("a", "fine"), Finding("b", "slow", "do this")]
    monkeypatch.setattr(doctor, "findings", lambda: iter(there))
    doctor.cli([])
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["ok", "note"]
    doctor.cli(["--json"])
    assert json.loads(capsys.readouterr().out)[1]["mend"] == "do this"
    there.append(Finding("c", "broken", "mend it", ok=False))
    with pytest.raises(UserError, match="missing"):
        doctor.cli([])
    assert "MISSING c" in capsys.readouterr().out


def test_a_gl_that_mujoco_does_not_know_is_a_finding() -> None:
    code = "from s2robot.machine import rendering; print(rendering.findings()[0].mend)"
    environment = {**os.environ, "MUJOCO_GL": "foo"}
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert "MUJOCO_GL='foo' is unknown to MuJoCo" in done.stdout, done.stderr
