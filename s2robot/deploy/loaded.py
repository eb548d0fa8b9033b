"""A loaded policy: one observation in, one action out, as in an episode of a rollout.

step       0    1    2    3    4  ...
act(obs)   o              o           a decision every `action_steps`, from the last `obs_steps`
returned   a    a    a    a    a      the actions of a chunk, one a call
"""

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from s2robot.deploy.inputs import Described, Inputs, Ranges, as_array
from s2robot.errors import UserError
from s2robot.rollouts.executed import after_executing
from s2robot.rollouts.history import History
from s2robot.types import Actor, Spec

SEEDS = 2**63  # what torch's generators take for certain


class LoadedPolicy:
    """A trained policy and the episode that it acts in; made by `s2robot.load_policy`.

    An observation is a dictionary with the keys of `inputs`: frames uint8 "h w 3" in the orientation that the
    dataset stored, proprioception as the dataset stored it. Actions are in the dataset's units, the numbers
    that `env.step` took. The same observations and seed give the same actions as in a rollout.
    """

    def __init__(self, actor: Actor, spec: Spec, seed: int = 0, ranges: Ranges | None = None) -> None:
        """`ranges` of the training's proprioception; what is far outside of them is warned of."""
        self.spec, self.action_steps = spec, actor.action_steps
        self._actor, self._inputs, self._seed = actor, Inputs(spec, ranges), seed
        self._ranges = ranges
        self._history = History(actor.obs_steps)
        self.reset(seed)

    @property
    def inputs(self) -> Described:
        """What an observation holds: key -> {"shape", "dtype"}."""
        return self._inputs.described

    def reset(self, seed: int | None = None) -> None:
        """Begin an episode; `seed` is that of its noise, by default one more than that of the one before."""
        seed = self._seed if seed is None else _checked_seed(seed)
        self._generator, self._seed = torch.Generator().manual_seed(seed), (seed + 1) % SEEDS
        self._history.start()
        self._state: Any = None  # the policy's, carried from one decision to the next
        self._queue: deque[np.ndarray] = deque()  # what is left to execute of the last chunk
        self._taken: list[np.ndarray] = []  # what was executed since the last decision

    def act(self, obs: Mapping[str, Any]) -> Float[np.ndarray, "da"]:
        """The action to execute now. Call it once a step. Raises `UserError` for an observation that does
        not fit, or that gives no finite action; the episode is then as before."""
        if self._queue:
            self.observe(obs)
        else:
            self._queue.extend(self._decide_on(obs)[: self.action_steps])
        action = self._queue.popleft()
        self._taken.append(action)
        return action.copy()

    def chunk(self, obs: Mapping[str, Any]) -> Float[np.ndarray, "ta da"]:
        """The predicted actions from now on; execute the first `action_steps` before the next call.

        A policy that reads several observations needs those between, by `observe`. Errors are those of `act`.
        """
        if self._queue:
            raise UserError(
                f"chunk was called with {len(self._queue)} actions of act's chunk left: "
                "an episode uses one of the two; reset begins another"
            )
        chunk = self._decide_on(obs)
        self._taken = list(chunk[: self.action_steps])
        return chunk.copy()

    def observe(self, obs: Mapping[str, Any]) -> None:
        """Take note of an observation for which no action is wanted. Errors are those of `act`."""
        self._history.add(self._inputs.check(obs))

    def executed(self, actions: Float[np.ndarray, "da"] | Float[np.ndarray, "k da"]) -> None:
        """Say what the robot did instead of the last action, or of the last chunk's: clipped, or by hand.

        Only policies that read their past actions use it. Raises `UserError` for other numbers of actions.
        """
        did = np.atleast_2d(as_array("executed", actions))
        fits = did.dtype.kind in "fiu" and did.shape[1:] == (self.spec.action_dim,)
        if not fits or len(did) > len(self._taken):
            raise UserError(
                f"executed actions are {did.dtype} of shape {did.shape}; expected at most {len(self._taken)} "
                f"actions of {self.spec.action_dim} numbers, those since the last decision"
            )
        if not np.isfinite(did).all():
            raise UserError("an executed action is not finite")
        self._taken[len(self._taken) - len(did) :] = list(did.astype(np.float32))

    def another(self) -> "LoadedPolicy":
        """The same policy in an episode of its own; the networks are shared."""
        return LoadedPolicy(self._actor, self.spec, ranges=self._ranges)

    def _decide_on(self, obs: Mapping[str, Any]) -> Float[np.ndarray, "ta da"]:
        """Take note of an observation and decide; the episode is as before if that fails."""
        seen, noise = self._history.rows_now(), self._generator.get_state()
        try:
            self.observe(obs)
            return self._decide()
        except BaseException:  # of the policy's network, or Ctrl-C, as well
            self._history.restore(seen)
            self._generator.set_state(noise)
            raise

    def _decide(self) -> Float[np.ndarray, "ta da"]:
        state = self._state  # which stays until the decision is made
        if self._taken:
            state = after_executing(self._actor, state, np.stack(self._taken))
        obs = {key: self._history.rows(key)[None] for key in self._inputs.keys}  # 1 to ...
        chunks, states = self._actor.act(obs, [state], [self._generator])
        if not np.isfinite(chunks[0]).all():
            raise UserError("the policy gave an action that is not finite; nothing of it is executed")
        self._state, self._taken = states[0], []
        return chunks[0]


def _checked_seed(seed: object) -> int:
    if isinstance(seed, int | np.integer) and not isinstance(seed, bool) and 0 <= seed < SEEDS:
        return int(seed)
    raise UserError(f"seed={str(seed)[:40]!r} must be a whole number from 0 to 2**63 - 1")
