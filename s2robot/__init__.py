"""Robot manipulation from demonstrations, on frozen multi-scale features that are computed once."""

import os

# PyTorch's idle OpenMP threads spin before they sleep, by default for about a millisecond, and take the
# cores from the encoder, the simulators and the thread that gathers the next batch. Spinning a tenth of that
# keeps small operations fast. It counts only if torch is not imported yet, so s2robot is imported first.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

__version__ = "0.2.0"
