"""Long episodes are read in pieces; batches have one size wherever episodes and pieces end."""

import os
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import UInt8

from s2robot.errors import UserError
from s2robot.features import batches, build, build_with_report, reading, sample
from s2robot.types import Features
from tests.features.frame_cases import SIDE, CountingEncoders, Frames, random_frames, stored_in

FRAME_BYTES = SIDE * SIDE * 3


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of four frames, of which two and a half are read ahead; batches of eight."""
    monkeypatch.setattr(reading, "PIECE_BYTES", 4 * FRAME_BYTES)
    monkeypatch.setattr(reading, "AHEAD_BYTES", 10 * FRAME_BYTES)
    monkeypatch.setattr(batches, "BATCH_FRAMES", 8)


class NotingEncoders(CountingEncoders):
    """Keeps the sizes of the batches."""

    def encode(self, camera: str, images: np.ndarray | torch.Tensor) -> Features:
        self.sizes_seen = [*getattr(self, "sizes_seen", []), len(images)]
        return super().encode(camera, images)


class Repeating(Frames):
    """One long episode in which a few frames come again and again; each read allocates its frames."""

    def __init__(self, length: int) -> None:
        super().__init__({"demo_0": random_frames(5, seed=0)}, f"{length} frames")
        self.lengths = [length]

    def read_frames(
        self, episode: str, camera: str, start: int = 0, stop: int | None = None
    ) -> UInt8[np.ndarray, "t h w 3"]:
        return self.by_episode[episode][np.arange(start, stop) % 5]


def test_pieces_are_read_in_order_and_batches_cross_the_ends_of_episodes(tmp_path: Path) -> None:
    episodes = {f"demo_{i}": random_frames(length, seed=i) for i, length in enumerate((9, 1, 6, 5))}
    source = Frames(episodes, "a")
    encoders = NotingEncoders("lite0", sizes=(SIDE,), backend="torch", device="cpu")

    table = build(source, "cam", encoders, stored_in(tmp_path))

    assert source.read == [
        *(("demo_0", start, stop) for start, stop in ((0, 4), (4, 8), (8, 9))),
        ("demo_1", 0, 1),
        *(("demo_2", start, stop) for start, stop in ((0, 4), (4, 6))),
        *(("demo_3", start, stop) for start, stop in ((0, 4), (4, 5))),
    ]
    assert encoders.sizes_seen == [8, 8, 5]
    expected = encoders.encoder("cam").encode(np.concatenate(list(episodes.values()))).map
    stored = table.gather(torch.arange(21)[:, None]).map[:, 0]
    torch.testing.assert_close(stored.float(), expected, rtol=1e-3, atol=1e-3)


def test_where_shapes_are_planned_the_last_batch_is_filled_up(tmp_path: Path) -> None:
    source = Frames({"demo_0": random_frames(9, seed=0), "demo_1": random_frames(4, seed=1)}, "a")
    encoders = NotingEncoders("lite0", sizes=(SIDE,), backend="torch", device="cpu")
    encoders.base.backend.plans_shapes = True
    table, report = build_with_report(source, "cam", encoders, stored_in(tmp_path))
    assert encoders.sizes_seen == [8, 8] and report.frames_encoded == 13
    expected = encoders.encoder("cam").encode(np.concatenate(list(source.by_episode.values()))).map
    stored = table.gather(torch.arange(13)[:, None]).map[:, 0]
    torch.testing.assert_close(stored.float(), expected, rtol=1e-3, atol=1e-3)


def test_the_sizes_of_pieces_and_of_what_is_read_ahead_change_no_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoders: CountingEncoders
) -> None:
    source = Frames({"demo_0": random_frames(19, seed=3), "demo_1": random_frames(2, seed=4)}, "a")
    frames, bits = torch.arange(21)[:, None], []
    for piece, ahead in ((1, 1), (4, 10), (100, 100)):
        monkeypatch.setattr(reading, "PIECE_BYTES", piece * FRAME_BYTES)
        monkeypatch.setattr(reading, "AHEAD_BYTES", ahead * FRAME_BYTES)
        bits.append(build(source, "cam", encoders, stored_in(tmp_path / str(piece))).gather(frames).map)
    assert torch.equal(bits[0], bits[1]) and torch.equal(bits[0], bits[2])


def test_memory_does_not_grow_with_the_length_of_an_episode(
    tmp_path: Path, encoders: CountingEncoders
) -> None:
    """NumPy's memory, in which frames are; a frame of the longer one may cost its hash and its row."""
    build(Repeating(5), "cam", encoders, stored_in(tmp_path))  # the network is built, all frames are stored
    peaks = []
    for length in (200, 4000):
        tracemalloc.start()
        _, report = build_with_report(Repeating(length), "cam", encoders, stored_in(tmp_path), progress=False)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert (report.frames_encoded, report.frames_found) == (0, length)
    assert peaks[0] < 100 * FRAME_BYTES
    assert peaks[1] - peaks[0] < 3800 * FRAME_BYTES / 10


KILLED = """
import os, signal, sys
sys.path.insert(0, {tests!r})
from tests.features.frame_cases import CountingEncoders, Frames, SIDE, random_frames, stored_in
from s2robot.features import batches, build, reading
batches.COMMIT_INTERVAL_S, batches.WRITES_AHEAD, batches.BATCH_FRAMES = 0, 0, 8
reading.PIECE_BYTES, reading.AHEAD_BYTES = 4 * SIDE * SIDE * 3, 10 * SIDE * SIDE * 3
class Killed(CountingEncoders):
    def encode(self, camera, images):
        if self.frames_encoded >= 24:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().encode(camera, images)
encoders = Killed("lite0", sizes=(SIDE,), backend="torch", device="cpu")
build(Frames({{"demo_0": random_frames(43, seed=0)}}, "a"), "cam", encoders, stored_in({root!r}))
"""


def test_a_killed_build_goes_on_within_a_long_episode(
    tmp_path: Path, encoders: CountingEncoders, request: pytest.FixtureRequest
) -> None:
    script = KILLED.format(tests=str(request.path.parents[2]), root=str(tmp_path))
    killed = subprocess.run([sys.executable, "-c", script], capture_output=True, env=os.environ)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    frames = random_frames(43, seed=0)
    table, report = build_with_report(Frames({"demo_0": frames}, "a"), "cam", encoders, stored_in(tmp_path))
    assert (report.frames_encoded, report.frames_found) == (43 - 24, 24)
    expected = encoders.encoder("cam").encode(frames).map
    stored = table.gather(torch.arange(43)[:, None]).map[:, 0]
    torch.testing.assert_close(stored.float(), expected, rtol=1e-3, atol=1e-3)


def test_an_episode_of_zeros_and_ones_is_judged_as_a_whole(
    tmp_path: Path, encoders: CountingEncoders
) -> None:
    night = np.zeros((11, SIDE, SIDE, 3), np.uint8)
    night[:, 3, 4] = 1  # the first two pieces hold only 0 and 1
    dawn = night.copy()
    dawn[10, 3, 4] = 2
    build(Frames({"demo_0": dawn, "demo_1": 0 * night}, "a"), "cam", encoders, stored_in(tmp_path))
    with pytest.raises(UserError, match="b: cam in demo_1 holds only 0 and 1"):
        build(Frames({"demo_0": dawn, "demo_1": night}, "b"), "cam", encoders, stored_in(tmp_path))


def test_samples_read_only_their_frames(tmp_path: Path, encoders: CountingEncoders) -> None:
    source = Frames({"demo_0": random_frames(30, seed=0), "demo_1": random_frames(2, seed=1)}, "a")
    table = build(source, "cam", encoders, stored_in(tmp_path))
    source.read = []
    sample(source, {"cam": table}, count=3)
    assert source.frames_read == len(source.read) == 3


def test_an_error_while_reading_ahead_is_raised(tmp_path: Path, encoders: CountingEncoders) -> None:
    class Broken(Frames):
        def read_frames(
            self, episode: str, camera: str, start: int = 0, stop: int | None = None
        ) -> np.ndarray:
            if start >= 12:
                raise UserError("a: cam in demo_0 is torn")
            return super().read_frames(episode, camera, start, stop)

    with pytest.raises(UserError, match="cam in demo_0 is torn"):
        build(Broken({"demo_0": random_frames(40, seed=0)}, "a"), "cam", encoders, stored_in(tmp_path))
