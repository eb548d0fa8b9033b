import resource
import signal
import sys
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest

from s2robot.errors import UserError
from s2robot.rollouts.video import (
    BORDER,
    FAILURE,
    SUCCESS,
    EpisodeVideo,
    caption_height,
    check_films,
    compose,
    corners,
    frame_shape,
)


def decode(path: Path) -> tuple[np.ndarray, dict[str, Any]]:
    """Frames of a video, uint8 "t h w 3", and ffmpeg's description of it."""
    frames = imageio_ffmpeg.read_frames(str(path))
    meta = next(frames)
    width, height = meta["size"]
    return np.stack([np.frombuffer(frame, np.uint8).reshape(height, width, 3) for frame in frames]), meta


def test_views_of_other_sizes_stand_side_by_side_uncovered() -> None:
    rng = np.random.default_rng(0)
    large, small = (rng.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in ((41, 33), (20, 10)))

    frame = compose([large, small], "seed 7", names=["front", "hand"])

    assert frame.shape == frame_shape([large.shape, small.shape])
    assert frame.shape[0] % 2 == frame.shape[1] % 2 == 0
    above = caption_height(frame.shape[1])
    np.testing.assert_array_equal(frame[above : above + 41, BORDER : BORDER + 33], large)
    left, top = 2 * BORDER + 33, above + 10
    np.testing.assert_array_equal(frame[top : top + 20, left : left + 10], small)
    assert corners([large.shape, small.shape]) == [(BORDER, above), (left, top)]
    caption, names = frame[: above // 2], frame[above // 2 : above]
    assert (caption == 255).any() and (names.max(axis=(1, 2)) > 200).any()  # both lines are drawn
    assert not (compose([large, small], "seed 7")[above // 2 : above] > 200).any()


def test_text_that_is_wider_than_small_views_gets_smaller() -> None:
    views = [np.zeros((64, 64, 3), np.uint8)] * 2
    names = ["robot0_eye_in_hand", "agentview"]
    frame = compose(views, "seed 100000   step 100   failure", names=names)
    above = caption_height(frame.shape[1])
    bright = frame[:above].min(axis=2) > 120
    assert bright[: above // 2].any() and not bright[: above // 2, -BORDER:].any()  # its end is inside
    first, second = corners([view.shape for view in views])
    assert not bright[above // 2 :, first[0] + 64 : second[0]].any()  # a name stays above its view


@pytest.mark.parametrize(("side", "width"), [(20, 46), (448, 908), (1024, 2060)])
def test_the_text_grows_with_the_frame(side: int, width: int) -> None:
    height, wide, _ = frame_shape([(side, width - 12, 3)])
    text = (height - side - BORDER) / 2 / 1.25
    assert wide == width
    assert text == pytest.approx(max(15, width / 34), abs=2)


@pytest.mark.parametrize(("success", "colour"), [(True, SUCCESS), (False, FAILURE)])
def test_an_episode_becomes_h264_that_ends_in_the_colour_of_its_outcome(
    tmp_path: Path, success: bool, colour: Any
) -> None:
    path = tmp_path / "seed_7.mp4"
    video = EpisodeVideo(path, seed=7, fps=5)
    greys = [40, 80, 120, 160]

    for grey in greys:
        video.add([np.full((65, 97, 3), grey, np.uint8), np.full((32, 32, 3), grey, np.uint8)])
    assert not path.exists()
    video.finish(success)

    frames, meta = decode(path)
    assert (meta["codec"], meta["fps"]) == ("h264", 5)
    assert frames.shape == (4 + 5, *frame_shape([(65, 97), (32, 32)]))  # and the last one held for a second
    middle = frames[:, caption_height(frames.shape[2]) + 30, BORDER + 50].astype(int)
    np.testing.assert_allclose(middle, np.repeat([*greys, *[160] * 5], 3).reshape(9, 3), atol=4)
    border = frames[:, -BORDER // 2, 60].astype(int)
    assert np.abs(border[:4] - colour).max(1).min() > 50
    np.testing.assert_allclose(border[4:], np.tile(colour, (5, 1)), atol=12)
    assert list(tmp_path.iterdir()) == [path]


def test_an_unfinished_video_gets_no_name(tmp_path: Path) -> None:
    video = EpisodeVideo(tmp_path / "seed_7.mp4", seed=7, fps=5)
    video.add([np.zeros((32, 32, 3), np.uint8)])

    video.discard()

    assert list(tmp_path.iterdir()) == []


def test_a_video_that_cannot_be_written_raises(tmp_path: Path) -> None:
    video = EpisodeVideo(tmp_path / "missing" / "seed_7.mp4", seed=7, fps=5)

    with pytest.raises(OSError):
        video.add([np.zeros((448, 448, 3), np.uint8)])


@pytest.mark.parametrize("frames", [1, 60])
def test_a_disk_without_room_is_one_line(frames: int, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    """Whether ffmpeg ends while frames are still sent to it, or at the end."""
    video = EpisodeVideo(tmp_path / "seed_7.mp4", seed=7, fps=5)
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(UserError, match=r"seed_7\.mp4 cannot be written: \S") as raised:
            for _ in range(frames):
                video.add([noise])
            video.finish(True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    video.discard()
    assert "\n" not in str(raised.value) and not capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_without_the_encoder_of_videos_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    check_films()
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(UserError, match=r"videos need imageio-ffmpeg: .*, or film nothing \(video=0\)"):
        check_films()
