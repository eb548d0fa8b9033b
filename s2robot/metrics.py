"""The numbers of a run: `metrics.jsonl` for reports, TensorBoard events for watching."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter


class MetricsLog:
    """Appends one JSON line a call, `{"step": ..., name: value, ...}`, and the same to TensorBoard.

    Lines after `resumed_step` (written by a run that was killed later than its last checkpoint) are
    dropped, all of them for step 0: a training that starts anew.
    """

    def __init__(self, run_dir: Path, resumed_step: int) -> None:
        self._path = run_dir / "metrics.jsonl"
        kept = [line for line in read(run_dir) if line["step"] <= resumed_step] if resumed_step else []
        partial = self._path.with_suffix(".tmp")
        partial.write_text("".join(json.dumps(line) + "\n" for line in kept))
        os.replace(partial, self._path)
        self._board = SummaryWriter(str(run_dir / "tensorboard"), purge_step=resumed_step + 1)

    def write(self, step: int, values: Mapping[str, float]) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        for name, value in values.items():
            self._board.add_scalar(name, value, step)

    def close(self) -> None:
        self._board.close()


def read(run_dir: Path) -> list[dict[str, float]]:
    """All complete lines of a run; none when it has no metrics yet."""
    path = run_dir / "metrics.jsonl"
    if not path.exists():
        return []
    text = path.read_text()
    complete = text[: text.rfind("\n") + 1]  # a killed run may leave half a line
    return [json.loads(line) for line in complete.splitlines()]
