"""Robot manipulation from demonstrations, on frozen multi-scale features that are computed once."""

import os
import sys

# `python -m s2robot` has put the current folder first: a file `typing.py` or `gymnasium.py` that lies in a
# stranger's run folder would be executed. It is not searched; the folder that holds this package is, last.
if sys.argv[:1] == ["-m"] and not sys.flags.safe_path:
    sys.path[:] = [*sys.path[1:], os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]

from typing import TYPE_CHECKING

from s2robot.registry import lazy_attributes

if TYPE_CHECKING:
    from s2robot.deploy.loading import load_policy

__all__ = ["load_policy"]

# Both count only if torch is not imported yet, so s2robot is imported first.
# PyTorch's idle OpenMP threads spin before they sleep, by default for about a millisecond, and take the
# cores from the encoder, the simulators and the thread that gathers the next batch. Spinning a tenth of that
# keeps small operations fast.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
# A step of training on a CPU takes and gives back arrays of megabytes; in pages of 4 KiB a virtual machine
# may spend a tenth of the step on getting them. Where Linux has pages of 2 MiB, they are asked for.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

__version__ = "0.2.0"

__getattr__ = lazy_attributes(__name__, load_policy="s2robot.deploy.loading:load_policy")  # imports PyTorch
