"""The numbers of a run: `metrics.jsonl` for reports, TensorBoard and Weights & Biases for watching."""

import importlib.util
import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from s2robot.errors import UserError
from s2robot.files import read_text, write_text


@runtime_checkable
class Log(Protocol):
    def write(self, step: int, values: Mapping[str, float]) -> None: ...
    def close(self) -> None: ...


class MetricsLog:
    """Appends one JSON line a call, `{"step": ..., name: value, ...}`, and the same to TensorBoard.

    Lines after `resumed_step` (written by a run that was killed later than its last checkpoint) are
    dropped, all of them for step 0: a training that starts again.
    """

    def __init__(self, run_dir: Path, resumed_step: int) -> None:
        self._path = run_dir / "metrics.jsonl"
        from torch.utils.tensorboard import SummaryWriter  # imports PyTorch, which reading does not need

        kept = [line for line in read(run_dir) if line["step"] <= resumed_step] if resumed_step else []
        write_text(self._path, "".join(json.dumps(line) + "\n" for line in kept))
        self._board = SummaryWriter(str(run_dir / "tensorboard"), purge_step=resumed_step + 1)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        for name, value in values.items():
            self._board.add_scalar(name, value, step)

    def close(self) -> None:
        self._board.close()


class WandbLog:
    """The same numbers at Weights & Biases; a resumed training goes on in the run it began there."""

    def __init__(self, run_dir: Path, project: str, config: Mapping[str, Any]) -> None:
        import wandb

        id_file = run_dir / "wandb_id"
        if not id_file.exists():
            write_text(id_file, secrets.token_hex(4))
        self._run = wandb.init(
            project=project,
            id=read_text(id_file),
            name=str(run_dir),
            dir=str(run_dir),
            config=dict(config),
            resume="allow",
        )

    def write(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        self._run.finish()


class Logs:
    """Writes to each of several logs, or to none."""

    def __init__(self, *logs: Log) -> None:
        self._logs = logs

    def write(self, step: int, values: Mapping[str, float]) -> None:
        for log in self._logs:
            log.write(step, values)

    def close(self) -> None:
        for log in self._logs:
            log.close()


def check_wandb(wanted: bool) -> None:
    """Raise `UserError` if Weights & Biases is wanted and not installed."""
    if wanted and importlib.util.find_spec("wandb") is None:
        raise UserError("wandb=true: Weights & Biases is not installed; pip install wandb, or wandb=false")


@contextmanager
def open_log(
    run_dir: Path, resumed_step: int, config: Mapping[str, Any], wandb_project: str | None = None
) -> Iterator[Log]:
    """The log of a run; only the main process of several writes. `config` is plain data."""
    from s2robot import parallel

    logs: list[Log] = []
    if parallel.is_main():
        logs.append(MetricsLog(run_dir, resumed_step))
        if wandb_project is not None:
            logs.append(WandbLog(run_dir, wandb_project, config))
    with closing(Logs(*logs)) as log:
        yield log


def read(run_dir: Path) -> list[dict[str, float]]:
    """All complete lines of a run; none when it has no metrics yet. Raises `UserError` for other lines."""
    path = run_dir / "metrics.jsonl"
    if not path.exists():
        return []
    try:
        text = read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    complete = text[: text.rfind("\n") + 1]  # a killed run may leave half a line
    return [_line(line, f"{path}, line {i}") for i, line in enumerate(complete.splitlines(), 1)]


def _line(text: str, where: str) -> dict[str, float]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where} is not JSON: {error}") from error
    numbers = isinstance(values, dict) and all(type(value) in (int, float) for value in values.values())
    if not numbers or type(values.get("step")) is not int:
        raise UserError(f'{where} is no line of metrics: expected {{"step": 10, NAME: number, ...}}')
    return values
