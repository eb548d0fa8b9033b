"""Seeds made of several numbers, for streams of random numbers that have nothing in common."""

import numpy as np


def mixed_seed(*numbers: int) -> int:
    """A 32-bit seed in which every one of `numbers` (not negative) counts.

    torch's CPU generator looks at the lowest 32 bits only, so numbers must be hashed and not shifted.
    """
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])
