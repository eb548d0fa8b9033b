"""How many episodes run side by side, and for how many of them the policy decides at once."""

from s2robot.processes.cores import usable_cores

GPU_BATCH = 8
MOST_WORKERS = 32


def default_batch(device_type: str) -> int:
    """Rows of each decision on a device of this type (`cpu` or `cuda`).

    It does not depend on the machine's cores or the number of workers, because another batch size can change
    the last bit of an action. On a CPU 1 is right: the frames of one observation are 2 to 20 encoder tiles,
    which occupy the cores.
    """
    return 1 if device_type == "cpu" else GPU_BATCH


def default_workers(batch: int = 1) -> int:
    """One process more than the CPUs that this process may use, at most 32, and at least two for each row.

    With two episodes for each row of a batch, one half is simulated while the policy decides for the other.
    """
    at_least = 1 if batch == 1 else 2 * batch
    return max(at_least, min(MOST_WORKERS, usable_cores() + 1))
