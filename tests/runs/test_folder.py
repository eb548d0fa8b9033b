"""What a training may write into, and what it leaves alone."""

from pathlib import Path

import pytest

from s2robot.errors import UserError
from s2robot.runs.folder import check

SOMEBODYS = [
    *("checkpoints/epoch_3.ckpt", "checkpoints/step_00000004/weights.pt", "eval/figures/a.png"),
    *("tensorboard/notes.txt", "config.yaml", "eval/default/table.csv", "validation.json", "metrics.jsonl"),
    *("eval/default/videos/seed_1.mp4", "report.html", "run.json", "timings.json", "checkpoints", "eval"),
]


@pytest.mark.parametrize("name", SOMEBODYS)
@pytest.mark.parametrize("how", [{}, {"resume": True}, {"overwrite": True}], ids=str)
def test_somebodys_own_files_are_left_alone(name: str, how: dict[str, bool], tmp_path: Path) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("years: of work\n")
    with pytest.raises(UserError, match="which no training of s2robot wrote; nothing was changed") as error:
        check(tmp_path, **how)
    assert name.split("/")[0] in str(error.value)


def test_other_things_beside_a_training_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "data").mkdir()
    check(tmp_path)


def test_resuming_and_overwriting_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="say one of them"):
        check(tmp_path, resume=True, overwrite=True)


@pytest.mark.parametrize("below", [".", "a/b"])
def test_a_link_that_leads_nowhere_is_told_before_anything_is_done(below: str, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("gone")
    with pytest.raises(UserError, match=f"run_dir=.*: {link} is a link to gone, which is not there"):
        check(link / below)
    link.unlink()
    (tmp_path / "gone").mkdir()
    link.symlink_to("gone")
    check(link / below)
