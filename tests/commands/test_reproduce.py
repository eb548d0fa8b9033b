"""`s2robot reproduce`: the same training gives the same bits, and what is changed is found."""

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from s2robot.commands import reproduce
from s2robot.errors import UserError
from s2robot.evaluation.reproduction import compare
from tests.training.tiny_training import STEPS, feature_cache, trained  # noqa: F401 (fixtures)


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:  # noqa: F811
    return Path(shutil.copytree(trained, tmp_path / "run", symlinks=True))


def reproduced(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, dict]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        reproduce.cli([*map(str, words), "--json"])
    return int(str(ended.value.code)), json.loads(capsys.readouterr().out)


def test_a_training_is_reproduced_to_the_bit(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}

    status, found = reproduced(capsys, run)

    assert (status, found["equal"], found["first"], found["machine"]) == (0, True, None, [])
    assert found["compared"]["metrics"] == STEPS // 3
    assert found["compared"]["checkpoints"] >= 1
    assert before == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}


def test_the_first_difference_is_said(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("warmup_steps: 2", "warmup_steps: 1"))

    status, found = reproduced(capsys, run, "--steps", 4, "--out", tmp_path / "again")

    assert (status, found["equal"]) == (1, False)
    assert (found["first"]["step"], found["first"]["kind"]) == (3, "metrics")
    assert found["compared"]["metrics"] == 1  # the line of step 3
    assert not (tmp_path / "again" / "checkpoints" / "step_00000012").exists()


def test_a_run_that_went_on_with_other_options_is_told(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, record = run / "config.yaml", run / "run.json"
    config.write_text(config.read_text().replace("warmup_steps: 2", "warmup_steps: 1"))
    written = json.loads(record.read_text())
    record.write_text(json.dumps(written | {"starts": 2 * written["starts"]}))
    with pytest.raises(SystemExit):
        reproduce.cli([str(run), "--steps", "3"])
    assert "the run was started 2 times" in capsys.readouterr().out


def test_too_few_steps_to_compare_are_refused_before_training(run: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match="up to step 2, so nothing can be compared; its first line of metrics is of step 3"
    ):
        reproduce.cli([str(run), "--steps", "2", "--out", str(tmp_path / "again")])
    assert not (tmp_path / "again").exists()


def test_an_environment_that_is_gone_is_refused_before_training(run: Path, tmp_path: Path) -> None:
    folder = run / "eval" / "default"
    folder.mkdir(parents=True)
    plan = {"env_id": "a_module_that_is_gone:Reach-v0", "env_kwargs": {}, "seeds": [100_000]}
    plan["identity"] = {"step": STEPS}
    (folder / "seeds.json").write_text(json.dumps(plan))
    (folder / "episodes.jsonl").write_text("")
    with pytest.raises(UserError, match="a_module_that_is_gone"):
        reproduce.cli([str(run), "--out", str(tmp_path / "again")])
    assert not (tmp_path / "again").exists()


def test_other_weights_are_named(trained: Path, run: Path) -> None:  # noqa: F811
    file = run / "checkpoints" / f"step_{STEPS:08d}" / "model.safetensors"
    tensors = load_file(file)
    name = sorted(tensors)[0]
    tensors[name].view(-1)[0] += 1
    save_file(tensors, file)

    found = compare(trained, run, STEPS)

    assert found.first is not None
    assert (found.first.step, found.first.kind) == (STEPS, "checkpoint")
    assert found.first.what.startswith(f"model.safetensors: {name} differs by up to 1")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[", "config.yaml cannot be read"),
        ("a: 1", "no configuration of a training"),
        ("policy: {name: bc}\ndata: {path: '${oc.env:HOME}'}", "which is not resolved"),
        ("policy: {name: bcc}", "unknown policy 'bcc'"),
        ("policy: {name: bc, hiden: [1]}", "hiden"),
    ],
)
def test_a_configuration_of_a_stranger_is_one_line(content: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(content)
    with pytest.raises(UserError, match=told):
        reproduce.cli([str(tmp_path)])
