"""Reader processes give what a thread gives, and none of them is needed to go on."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest

from s2robot.datasets import open_dataset
from s2robot.errors import UserError
from s2robot.features import build, readers
from s2robot.features.readers import count_of_readers, read_ahead
from s2robot.features.reading import Frames as ReadFrames
from s2robot.features.reading import Piece
from tests.features.frame_cases import SIDE, CountingEncoders, Frames, random_frames, stored_in

LENGTHS = (9, 1, 6, 5)


class Shared(Frames):
    """Frames that other processes make again; where one kills itself at `deadly` unless it is `main`."""

    def __init__(self, name: str = "a", main: int = 0, deadly: str = "") -> None:
        super().__init__({f"demo_{i}": random_frames(n, seed=i) for i, n in enumerate(LENGTHS)}, name)
        self.main, self.deadly = main, deadly

    def opener(self) -> Callable[[], "Shared"]:
        return partial(Shared, str(self.path), self.main, self.deadly)

    def read_frames(self, episode: str, camera: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        if episode == self.deadly and os.getpid() != self.main:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().read_frames(episode, camera, start, stop)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "SLOT_BYTES", 4 * SIDE * SIDE * 3)


def copied(source: Frames, count: int) -> list[tuple[Piece, bytes, list[bytes]]]:
    """Every piece that is read, as long as its pixels are there."""

    def plain(frames: ReadFrames) -> tuple[Piece, bytes, list[bytes]]:
        return frames.piece, frames.pixels.tobytes(), frames.hashes

    return [plain(frames) for frames in read_ahead(source, "cam", range(4), count)]


def test_pieces_come_in_order_from_all_processes() -> None:
    source = Shared()
    frames = np.concatenate(list(source.by_episode.values()))
    found = copied(source, 2)
    assert b"".join(pixels for _, pixels, _ in found) == frames.tobytes()
    assert [piece for piece, _, _ in found][:4] == [(0, 0, 4), (0, 4, 8), (0, 8, 9), (1, 0, 1)]
    assert not source.read  # by this process
    by_thread = [key for _, _, keys in copied(source, 0) for key in keys]
    assert [key for _, _, keys in found for key in keys] == by_thread


def test_a_process_that_dies_costs_a_line(
    tmp_path: Path, encoders: CountingEncoders, caplog: pytest.LogCaptureFixture
) -> None:
    source = Shared(main=os.getpid(), deadly="demo_2")
    expected = build(Shared(), "cam", encoders, stored_in(tmp_path / "a"), progress=False)
    table = build(source, "cam", encoders, stored_in(tmp_path / "b", readers=2), progress=False)
    assert any("a reader process ended (exit status -9)" in line for line in caplog.messages)
    assert "demo_2" in {episode for episode, _, _ in source.read}
    assert len(table) == len(expected) == sum(LENGTHS)


class Wrong(Shared):
    """Some frames are smaller than the others."""

    def opener(self) -> Callable[[], Shared]:
        return Wrong

    def read_frames(self, episode: str, camera: str, start: int = 0, stop: int | None = None) -> np.ndarray:
        frames = super().read_frames(episode, camera, start, stop)
        return frames[:, :8] if episode == "demo_2" else frames


def test_what_is_wrong_with_frames_is_said_here(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UserError, match=r"demo_2 were read as uint8 of shape \(4, 8, 32, 3\)"):
        copied(Wrong(), 2)
    assert "Traceback" not in capfd.readouterr().err


def test_real_files_are_opened_again(tmp_path: Path, demos_path: Path, encoders: CountingEncoders) -> None:
    dataset = open_dataset(demos_path)
    camera = next(iter(dataset.cameras))
    by_thread = build(dataset, camera, encoders, stored_in(tmp_path / "a"), progress=False)
    encoded = encoders.frames_encoded
    found = [
        key
        for frames in read_ahead(dataset, camera, range(len(dataset.episodes)), 1)
        for key in frames.hashes
    ]
    assert len(found) == len(by_thread) and len(set(found)) == encoded


def test_processes_are_for_gpus_with_many_cores_and_many_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Shared()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(16), raising=False)
    assert count_of_readers(source, "cam", range(4), on_gpu=True) == 0
    monkeypatch.setattr(readers, "FEWEST_BYTES", 1)
    assert count_of_readers(source, "cam", range(4), on_gpu=True) == 8
    assert count_of_readers(source, "cam", range(4), on_gpu=False) == 0
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(3), raising=False)
    assert count_of_readers(source, "cam", range(4), on_gpu=True) == 0


KILLED = """
import sys, time
sys.path.insert(0, {tests!r})
from s2robot.features import readers
from tests.features.test_readers import Shared
readers.SLOT_BYTES = 4 * 32 * 32 * 3
if __name__ == "__main__":
    pieces = readers.read_ahead(Shared(), "cam", range(4), 2)
    next(pieces)
    print("reading", flush=True)
    time.sleep(600)
"""


def test_they_end_with_their_parent(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(KILLED.format(tests=str(request.path.parents[2])))
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None and parent.stdout.readline() == "reading\n"
        children = psutil.Process(parent.pid).children(recursive=True)
        parent.kill()
    assert len(children) >= 2
    _, left = psutil.wait_procs(children, timeout=60)
    assert left == []
