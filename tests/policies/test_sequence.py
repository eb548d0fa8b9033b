"""Policies that remember: what acting step by step gives is what training saw as one window."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch

from s2robot.errors import UserError
from s2robot.policies import POLICIES, Policy
from s2robot.policies.base import masked_mean
from s2robot.policies.sequence import chunks, read_once, without_repeats
from s2robot.types import Batch, Features, Observation
from tests.policies.policy_cases import SPEC, fitted, make_batch

STRIDE, HORIZON, LENGTH = 2, 3, 5
REMEMBERING = [name for name, entry in POLICIES.items() if entry.options().remembers]


@pytest.fixture(params=REMEMBERING)
def policy(request: pytest.FixtureRequest) -> Policy:
    """Each of them, remembering three decisions of two actions each."""
    return fitted(request.param, obs_steps=3, horizon=HORIZON, action_steps=STRIDE).eval()


def episode(policy: Policy, b: int = 2) -> Observation:
    """Observations of five decisions: "b 5 ..."."""
    generator = torch.Generator().manual_seed(5)

    def random(*shape: int) -> torch.Tensor:
        return torch.rand(b, LENGTH, *shape, generator=generator)

    maps = {name: Features(random(*camera.features)) for name, camera in SPEC.cameras.items()}
    return Observation(maps, {key: random(dim) for key, dim in SPEC.proprio.items()})


def at(obs: Observation, step: int) -> Observation:
    """One observation of an episode: "b 1 ..."."""
    return obs.map(lambda values: values[:, [step]])


def window(policy: Policy, seen: Observation, done: Sequence[torch.Tensor], now: int) -> Batch:
    """The training window of decision `now`, when the chunks of `done` were executed before."""
    b, steps = len(seen.proprio["robot0_eef_pos"]), policy.config.obs_steps
    places = [max(0, now - back) for back in reversed(range(steps))]
    empty = torch.zeros(b, STRIDE, SPEC.action_dim)
    past = [chunk[:, :STRIDE] for chunk in done[max(0, now - steps) : now]]
    filled = [empty] * (steps - len(past)) + past
    mask = torch.arange(steps * STRIDE) >= (steps - len(past)) * STRIDE
    return Batch(
        obs=seen.map(lambda values: values[:, places]),
        actions=torch.zeros(b, HORIZON, SPEC.action_dim),
        mask=torch.ones(b, HORIZON, dtype=torch.bool),
        windows=torch.arange(b),
        past_actions=torch.full((b, steps * STRIDE, SPEC.action_dim), torch.nan),  # labels, not read
        past_mask=mask.expand(b, -1),
        executed=torch.cat(filled, dim=1),
    )


def test_acting_with_state_is_the_window_in_one_pass(policy: Policy) -> None:
    seen = episode(policy)
    state: Sequence[Any] | None = None
    done: list[torch.Tensor] = []
    for now in range(3):  # as many decisions as a window holds: an RNN starts anew behind them
        actions, state = policy.predict(at(seen, now), state)
        expected = policy.predict_windows(window(policy, seen, done, now))
        torch.testing.assert_close(actions, expected, atol=1e-5, rtol=1e-5)
        done.append(actions)


def test_window_slides_or_starts_anew_when_it_is_full(policy: Policy) -> None:
    seen = episode(policy)
    state: Sequence[Any] | None = None
    done: list[torch.Tensor] = []
    for now in range(LENGTH):
        actions, state = policy.predict(at(seen, now), state)
        done.append(actions)
    if policy.config.name == "bc_rnn_gmm":  # decision 3 is its first again
        again, begun = policy.predict(at(seen, LENGTH - 2))
        torch.testing.assert_close(done[3], again)
        torch.testing.assert_close(done[4], policy.predict(at(seen, LENGTH - 1), begun)[0])
    else:
        expected = policy.predict_windows(window(policy, seen, done, LENGTH - 1))
        torch.testing.assert_close(done[-1], expected, atol=1e-5, rtol=1e-5)


def test_rows_come_and_go(policy: Policy) -> None:
    """An episode begins while another one is in its third step: each acts as it would alone."""
    seen = episode(policy)
    old, new = seen.map(lambda values: values[[0]]), seen.map(lambda values: values[[1]])
    state: Sequence[Any] | None = None
    for now in range(2):
        _, state = policy.predict(at(old, now), state)
    assert state is not None
    alone, _ = policy.predict(at(old, 2), state)
    fresh, _ = policy.predict(at(new, 0))
    steps = torch.tensor([0, 2])  # of the new one, of the old one
    both = seen.map(lambda values: values[[1, 0], steps][:, None])
    together, after = policy.predict(both, [None, state[0]])
    torch.testing.assert_close(together, torch.cat([fresh, alone]), atol=1e-5, rtol=1e-5)
    assert after is not None
    assert len(after) == 2


def test_other_intervals_than_those_learned_are_refused(policy: Policy) -> None:
    policy.config.action_steps = 1
    with pytest.raises(UserError, match="one observation every 2 actions: action_steps must be that"):
        policy.predict(at(episode(policy), 0))


def test_every_observation_of_a_window_has_its_chunk() -> None:
    """Actions are their own time, now is 0, the episode began at -3; observations at -4 (a repeat), -2, 0."""
    times = torch.arange(-6.0, 3.0)
    batch = Batch(
        obs=Observation({}, {}),
        actions=times[None, 6:, None],
        mask=torch.tensor([[True, True, False]]),
        windows=torch.arange(1),
        past_actions=times[None, :6, None],
        past_mask=times[None, :6] >= -3,
        executed=times[None, :6, None],
    )
    actions, mask = chunks(batch, STRIDE)
    assert actions[0, :, :, 0].tolist() == [[-4, -3, -2], [-2, -1, 0], [0, 1, 2]]
    assert mask[0].tolist() == [[False] * 3, [True] * 3, [True, True, False]]
    order, real = without_repeats(batch, STRIDE)
    assert order.tolist() == [[1, 2, 2]]
    assert real.tolist() == [[True, True, False]]


def test_recurrent_loss_does_not_read_the_repeats_before_an_episode() -> None:
    policy = fitted("bc_rnn_gmm", obs_steps=3)
    batch = make_batch(policy.config)  # the last row is at an episode's start
    before = policy.loss(batch)[0]
    for values in batch.obs.tensors():
        values[-1, :-1] = 0.123
    assert torch.equal(policy.loss(batch)[0], before)


def test_repeats_are_read_once_and_give_the_same() -> None:
    """Rows whose episode began before the window, at its second observation, at now, and just before."""
    past = torch.tensor([[1] * 6, [0] * 4 + [1] * 2, [0] * 6, [0] * 3 + [1] * 3], dtype=torch.bool)
    frames = torch.tensor([[10.0, 12, 14], [20, 20, 22], [30, 30, 30], [40, 41, 43]])
    chunk, done = torch.zeros(4, 1, 1), torch.zeros(4, 6, 1)
    obs = Observation({}, {"frame": frames[..., None]})
    batch = Batch(obs, chunk, torch.ones(4, 1, dtype=torch.bool), torch.arange(4), done, past, done)
    seen: list[float] = []

    def read(obs: Observation) -> torch.Tensor:
        seen.extend(obs.proprio["frame"].flatten().tolist())
        return obs.proprio["frame"][:, 0]

    assert torch.equal(read_once(read, batch, STRIDE)[..., 0], frames)
    assert seen == [10, 12, 14, 20, 20, 22, 30, 30, 40, 41, 43]  # one of the three 30 is not


def test_history_dropout_hides_the_past_in_training_alone() -> None:
    """With all of it hidden, earlier observations and what was done change no chunk of the last step."""
    policy: Any = fitted("bc_paper", obs_steps=3, dropout=0.0)
    batch = make_batch(policy.config)
    other = replace(batch, obs=batch.obs.map(torch.clone), executed=batch.executed.clone())
    for values in other.obs.tensors():
        values[:, :-1] = 0.123
    other.executed[:] = 0.123

    def last_chunk(of: Batch, hidden: torch.Tensor | None) -> torch.Tensor:
        return policy._chunks(policy._window(of, hidden), hidden)[:, -1]

    everything = torch.ones(len(batch.mask), 3, dtype=torch.bool)
    torch.testing.assert_close(last_chunk(batch, everything), last_chunk(other, everything))
    assert not torch.allclose(last_chunk(batch, None), last_chunk(other, None))
    assert not policy.eval()._forgotten(100, torch.device("cpu")).any()
    hidden = policy.train()._forgotten(1000, torch.device("cpu"))
    assert 0.7 < hidden.float().mean() < 0.8
    shares = hidden[0].float().mean(1)  # of windows: some see everything, some nothing
    assert (shares == 0).any() and (shares == 1).any()


def test_bc_paper_reads_what_was_executed_and_learns_the_labels() -> None:
    """Demonstrations that were disturbed executed other actions than those to imitate."""
    policy: Any = fitted("bc_paper", obs_steps=3, dropout=0.0, history_dropout=0.0)
    batch = make_batch(policy.config)
    undisturbed = policy.loss(batch)[0]
    batch.executed = 0.5 * batch.executed
    read = policy.loss(batch)[0]
    assert read != undisturbed
    with torch.no_grad():
        predicted = policy._chunks(policy._window(batch))
        labels, mask = chunks(batch, policy.stride)
    expected = masked_mean((predicted - policy.actions(labels)).abs(), mask)
    torch.testing.assert_close(read.detach(), expected)


def test_bc_paper_carries_on_with_what_was_executed() -> None:
    """An environment clips; the window in one pass holds what it did."""
    policy: Any = fitted("bc_paper", obs_steps=3, horizon=HORIZON, action_steps=STRIDE).eval()
    seen = episode(policy)
    state: Sequence[Any] | None = None
    done: list[torch.Tensor] = []
    for now in range(3):
        actions, state = policy.predict(at(seen, now), state)
        expected = policy.predict_windows(window(policy, seen, done, now))
        torch.testing.assert_close(actions, expected, atol=1e-5, rtol=1e-5)
        done.append(actions.clamp(-0.1, 0.1))
        assert not torch.equal(done[-1], actions)
        assert state is not None
        state = [policy.executed(row, clipped[:STRIDE]) for row, clipped in zip(state, done[-1], strict=True)]


def test_steps_are_embedded_as_by_robomimic() -> None:
    """Its own function, which asserts in between and would wait for a GPU, gives the same numbers."""
    net: Any = fitted("bc_transformer_gmm").net
    embeddings = torch.rand(2, 2, net.transformer_embed_dim)
    expected = type(net).embed_timesteps(net, embeddings)
    assert torch.equal(net.embed_timesteps(embeddings), expected)
