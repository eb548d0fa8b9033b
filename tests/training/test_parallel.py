"""Two processes that share each batch train what one process trains."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file
from torch.testing import assert_close

from s2robot import parallel
from s2robot.errors import UserError
from s2robot.runs import checkpoint, metrics
from tests.policies.policy_cases import CASES
from tests.training import two_processes
from tests.training.tiny_training import description, run_training


@pytest.fixture(scope="module")
def both(demos_path: Path, feature_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that two processes wrote into."""
    out = tmp_path_factory.mktemp("both")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*launch, two_processes.__file__, str(out), str(demos_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    (out / "said").write_text(done.stdout)
    (out / "progress").write_text(done.stderr)
    return out


@pytest.mark.parametrize("case", CASES)
def test_gradient_is_that_of_the_joint_batch(case: str, both: Path) -> None:
    prefix = f"{case}/"
    found = load_file(both / "gradients.safetensors")
    shared = {key.removeprefix(prefix): value for key, value in found.items() if key.startswith(prefix)}
    alone = two_processes.joint_gradients(case)
    assert shared.keys() == alone.keys()
    for name, value in alone.items():
        assert_close(shared[name], value, rtol=1e-4, atol=1e-5 * float(alone["norm"]), msg=name)


def test_training_is_that_of_one_process(both: Path, trained: Path) -> None:
    shared, alone = metrics.read(both / "run"), metrics.read(trained)
    assert [line["step"] for line in shared] == [line["step"] for line in alone]
    for line, expected in zip(shared, alone, strict=True):
        for name in expected.keys() - {"speed/samples_per_s", "speed/waiting_for_data"}:
            assert line[name] == pytest.approx(expected[name], rel=1e-3), name
    last = checkpoint.load(both / "run" / "checkpoints" / "last").policy.state_dict()
    for name, value in checkpoint.load(trained / "checkpoints" / "last").policy.state_dict().items():
        assert_close(last[name], value, rtol=1e-3, atol=1e-4)


def test_only_one_process_writes_and_speaks(both: Path) -> None:
    assert len(list((both / "run" / "tensorboard").iterdir())) == 1
    said = (both / "said").read_text()
    assert said.count("trained to step 12") == said.count("stopped by SIGTERM") == 1
    assert (both / "progress").read_text().count("train: 12/12") == 1
    assert set(json.loads((both / "run" / "timings.json").read_text())) == {"features", "train", "validate"}


def test_told_to_one_process_both_stop_after_the_same_step(both: Path) -> None:
    assert description(both / "stopped")["step"] == 10  # they ask each other every tenth step


def test_batch_too_small_to_share_is_refused(
    demos_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "count", lambda: 2)
    with pytest.raises(UserError, match=r"optim\.batch_size=1 is too small for 2 processes"):
        run_training(demos_path, tmp_path, "bc", "optim.batch_size=1")
