"""What the name of an environment tells. Imports neither PyTorch nor Gymnasium."""

OWN = "s2robot/"  # prefix of the names of this project's environments


def split(env_id: str) -> tuple[str, str]:
    """Module (may be empty) and name of an id."""
    module, _, name = env_id.rpartition(":")
    return module, name


def usual_flips(env_id: str, recorded: tuple[int, ...]) -> tuple[int, ...]:
    """Along which axes frames of an environment are flipped that says nothing: as those of the dataset."""
    return () if split(env_id)[1].startswith(OWN) else recorded
