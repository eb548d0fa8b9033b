"""`env.keys` and `env.orientation`: the names of observations in an environment, and which way up it renders.

An environment is expected to give frames as the dataset stores them, since the dataset was recorded in it.
This project's own render upright (the top row first), and so they are expected to. `env.orientation` says
it for any other. Frames reach the policy and the videos upright.
"""

from s2robot.datasets.images import TRANSFORM_OF, TRANSFORMS
from s2robot.errors import unknown_name
from s2robot.evaluation.options import EnvConfig
from s2robot.rollouts.mapping import ObservationMapping
from s2robot.rollouts.names import usual_flips
from s2robot.types import Spec


def observation_mapping(spec: Spec, env_id: str, env: EnvConfig) -> ObservationMapping:
    """The mapping for a policy of this spec in an environment.

    Raises `UserError` in one line for names that are neither cameras nor proprioception of the policy.
    """
    keys = {_wanted(spec, name): key for name, key in env.keys.items()}
    stated = (
        env.orientation if isinstance(env.orientation, dict) else dict.fromkeys(spec.cameras, env.orientation)
    )
    for name in stated:
        if name not in spec.cameras:
            raise unknown_name("camera in env.orientation", name, spec.cameras)
    flips = {}
    for name, camera in spec.cameras.items():
        orientation = stated.get(name)
        axes = (
            usual_flips(env_id, camera.flips)
            if orientation is None
            else TRANSFORMS[TRANSFORM_OF[orientation]]
        )
        if axes:
            flips[keys.get(camera.key, camera.key)] = axes
    return ObservationMapping(keys, flips)


def _wanted(spec: Spec, name: str) -> str:
    """The policy's observation key of a camera, or of proprioception, that is called `name`."""
    if name in spec.cameras:
        return spec.cameras[name].key
    if name not in spec.observed:
        raise unknown_name("camera or proprioception in env.keys", name, [*spec.cameras, *spec.proprio])
    return name
