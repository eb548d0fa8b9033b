"""Options of the training loop."""

import math
from dataclasses import dataclass
from typing import Any

from s2robot.config import at_least, option
from s2robot.errors import UserError, unknown_name

GRAPHS = ("auto", "always", "never")
PRECISIONS = {"fp32": None, "bf16": "bfloat16", "fp16": "float16"}  # what PyTorch calls the type of autocast


@dataclass
class OptimConfig:
    """Optimiser and training loop."""

    steps: int = option(3000, "optimiser steps")
    batch_size: int = option(64, "windows a step, of all processes together")
    learning_rate: float = option(1e-3, "at its largest, after the warm-up; then a cosine to zero")
    weight_decay: float = option(1e-4, "of AdamW")
    warmup_steps: int = option(100, "steps of linear warm-up")
    gradient_clip: float = option(10.0, "largest norm of the gradient; inf: any")
    precision: str = option("fp32", "of forward and backward: fp32, bf16, fp16 (loss scaled)")
    graph: str = option("auto", "record a step on a GPU once and replay it (CUDA graph): auto, always, never")
    ema_max_decay: float = option(0.9999, "largest decay of the averaged weights")
    log_every: int = option(50, "steps between lines of the log")
    valid_every: int = option(500, "steps between validations")
    checkpoint_every: int = option(500, "steps between checkpoints")

    def check(self) -> None:
        """Raise `UserError` for a number that cannot be."""
        at_least(1, self, "batch_size", "log_every", "valid_every", "checkpoint_every", group="optim.")
        at_least(0, self, "steps", "warmup_steps", "learning_rate", "weight_decay", group="optim.")
        for name in ("learning_rate", "weight_decay"):
            if math.isinf(getattr(self, name)):
                raise UserError(f"optim.{name}=inf must be a finite number")
        if not self.gradient_clip > 0:  # also for NaN; a negative one would climb
            raise UserError(f"optim.gradient_clip={self.gradient_clip} must be above 0; inf clips nothing")
        if not 0 <= self.ema_max_decay <= 1:
            raise UserError(f"optim.ema_max_decay={self.ema_max_decay} must be between 0 and 1")
        if self.precision not in PRECISIONS:
            raise unknown_name("optim.precision", self.precision, PRECISIONS)
        if self.graph not in GRAPHS:
            raise unknown_name("optim.graph", self.graph, GRAPHS)


@dataclass
class CheckpointConfig:
    """Checkpoints: the best one always stays."""

    keep: Any = option(1, "so many of the newest are kept, or all")

    @property
    def count(self) -> int | None:
        """How many are kept; None: all."""
        return None if self.keep == "all" else int(self.keep)

    def check(self) -> None:
        """Raise `UserError` for a number that cannot be."""
        number = isinstance(self.keep, int) and not isinstance(self.keep, bool)
        if self.keep != "all" and not (number and self.keep >= 1):
            raise UserError(f"checkpoint.keep={self.keep} must be a whole number from 1 on, or all")
