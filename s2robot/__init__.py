"""Robot manipulation from demonstrations, on frozen multi-scale features that are computed once."""

import os
from typing import TYPE_CHECKING

from s2robot.registry import lazy_attributes

if TYPE_CHECKING:
    from s2robot.deploy.loading import load_policy

__all__ = ["load_policy"]

# PyTorch's idle OpenMP threads spin before they sleep, by default for about a millisecond, and take the
# cores from the encoder, the simulators and the thread that gathers the next batch. Spinning a tenth of that
# keeps small operations fast. It counts only if torch is not imported yet, so s2robot is imported first.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

__version__ = "0.2.0"

__getattr__ = lazy_attributes(__name__, load_policy="s2robot.deploy.loading:load_policy")  # imports PyTorch
