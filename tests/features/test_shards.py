"""Shares of a dataset: fixed, complete, built at the same time into one store."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from s2robot.errors import UserError
from s2robot.features import CameraStore, build
from s2robot.features.shards import Shard
from tests.features.frame_cases import CountingEncoders, Frames, records_in, stored_in


def test_every_episode_is_in_one_share() -> None:
    episodes = [0, 2, 3, 5, 7, 11, 13]
    shares = [Shard(number, 3).share(episodes) for number in range(3)]
    assert sorted(episode for share in shares for episode in share) == episodes
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert Shard(8, 9).share(episodes) == []


def test_the_share_is_that_of_the_process() -> None:
    assert Shard.of("3/16") == Shard(3, 16)
    assert Shard.of("", {"RANK": "1", "WORLD_SIZE": "4", "SLURM_PROCID": "0"}) == Shard(1, 4)
    assert Shard.of("", {"SLURM_PROCID": "2", "SLURM_NTASKS": "8"}) == Shard(2, 8)
    assert Shard.of("", _array("3", "16", "0", "15")) == Shard(3, 16)


def _array(number: str, count: str, first: str, last: str) -> dict[str, str]:
    names = [f"SLURM_ARRAY_TASK_{name}" for name in ("ID", "COUNT", "MIN", "MAX")]
    return dict(zip(names, (number, count, first, last), strict=True))


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"RANK": "1"}, "only RANK is set"),
        (_array("3", "1", "3", "3"), "give the share of the whole array, e.g. --shard 3/16"),
        (_array("1", "4", "1", "4"), "an array of tasks 0 to N - 1"),
    ],
)
def test_variables_that_name_no_share_are_refused(variables: dict[str, str], told: str) -> None:
    with pytest.raises(UserError, match=told):
        Shard.of("", variables)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("4/4", "0 to 3 here"),
        ("1", "not '1'"),
        ("-1/4", "not '-1/4'"),
        ("٠/2", "not '٠/2'"),
        ("0/0", "0 to 0"),
        ("", "none is set"),
    ],
)
def test_a_share_that_cannot_be_is_refused(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Shard.of(text, {})


SHARD = """
import sys
sys.path.insert(0, {tests!r})
from s2robot.features import build_with_report
from s2robot.features.shards import Shard
from tests.features.frame_cases import CountingEncoders, Frames, SIDE, random_frames, stored_in
episodes = {{f"demo_{{i}}": random_frames(3 + i, seed=i) for i in range(4)}}
encoders = CountingEncoders("lite0", sizes=(SIDE,), backend="torch", device="cpu")
shard = Shard.of("", {{"RANK": sys.argv[1], "WORLD_SIZE": "2"}})
source, config = Frames(episodes, "a"), stored_in({root!r})
build_with_report(source, "cam", encoders, config, False, shard.share(range(4)), shard.name)
"""


def test_two_shards_at_once_make_one_store(
    tmp_path: Path,
    episodes: dict[str, np.ndarray],
    encoders: CountingEncoders,
    request: pytest.FixtureRequest,
) -> None:
    script = SHARD.format(tests=str(request.path.parents[2]), root=str(tmp_path / "both"))
    shards = [
        subprocess.Popen([sys.executable, "-c", script, str(number)], env=os.environ) for number in (0, 1)
    ]
    assert [shard.wait() for shard in shards] == [0, 0]
    opened = CameraStore(Frames(episodes, "a"), "cam", encoders, stored_in(tmp_path / "both"))
    table = opened.table()
    assert len(opened.store.segment_folders()) == 2 and len(records_in(opened.store.folder)) == 18
    single = build(Frames(episodes, "a"), "cam", encoders, stored_in(tmp_path / "one"), progress=False)
    frames = torch.arange(18)[:, None]
    torch.testing.assert_close(table.gather(frames).map, single.gather(frames).map, rtol=1e-3, atol=1e-3)
    assert encoders.frames_encoded == 18  # of the single build alone
