"""Processes and denoisers beside closed forms and diffusers' own samplers."""

from typing import Any

import pytest
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from torch import Tensor

from s2robot.errors import UserError
from s2robot.policies.denoisers.transformer import DenoisingTransformer
from s2robot.policies.denoisers.unet import ConditionalUNet1d
from s2robot.policies.options.diffusion import PREDICTIONS
from s2robot.policies.options.flow import FLOW_PREDICTIONS
from s2robot.policies.processes import Diffusion, Flow, Process
from tests.policies.policy_cases import fitted, make_batch

CLEAN = torch.rand(2, 8, 7, generator=torch.Generator().manual_seed(0)) * 2 - 1
NOISE = torch.randn(2, 8, 7, generator=torch.Generator().manual_seed(1))


def generators(*seeds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def perfect(process: Process, prediction: str, noisy: Tensor, index: int) -> Tensor:
    """What a network would predict that knows the clean chunk."""
    assert isinstance(process, Diffusion)
    alpha = process.sampler.alphas_cumprod.double()[process.sampler.timesteps[index]]
    epsilon = (noisy - alpha.sqrt() * CLEAN) / (1 - alpha).sqrt()
    return {
        "sample": CLEAN.double(),
        "epsilon": epsilon,
        "v_prediction": alpha.sqrt() * epsilon - (1 - alpha).sqrt() * CLEAN,
    }[prediction]


@pytest.mark.parametrize("steps", [1, 10, 100])
@pytest.mark.parametrize("sampler", ["ddim", "ddpm"])
@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_perfect_denoiser_gives_the_clean_chunk(prediction: str, sampler: str, steps: int) -> None:
    process = Diffusion(prediction, 100, sampler, steps)
    assert process.times[0] == 99  # pure noise
    chunk = NOISE.double()
    for index in range(steps):
        predicted = perfect(process, prediction, chunk, index)
        chunk = process.step(predicted, index, chunk, generators(2, 3))
    torch.testing.assert_close(chunk, CLEAN.double(), atol=2e-3, rtol=0)


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_targets_are_what_a_perfect_denoiser_predicts(prediction: str) -> None:
    process = Diffusion(prediction, 100, steps=100)
    torch.manual_seed(0)
    noisy, times, target = process.corrupt(CLEAN)
    for row in range(2):
        index = 99 - int(times[row])
        expected = perfect(process, prediction, noisy.double(), index)[row]
        torch.testing.assert_close(target[row].double(), expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize(("sampler", "scheduler"), [("ddim", DDIMScheduler), ("ddpm", DDPMScheduler)])
def test_predict_is_the_loop_of_diffusers(sampler: str, scheduler: type) -> None:
    policy: Any = fitted("diffusion_unet", sampler=sampler, channels=[16, 32], temperature=1.0).eval()
    obs = make_batch(policy.config, b=1).obs
    actual, _ = policy.predict(obs, None, generators(5))

    reference = scheduler(
        num_train_timesteps=100,
        beta_schedule="squaredcos_cap_v2",
        prediction_type="sample",
        timestep_spacing="trailing",
    )
    reference.set_timesteps(10)
    (generator,) = generators(5)
    with torch.no_grad():
        seen = policy.net.read(policy.observe(obs).flatten(1))
        chunk = torch.randn(1, 8, 7, generator=generator)
        for timestep in reference.timesteps:
            predicted = policy.net(chunk, policy.net.embed(timestep[None].float()), seen)
            chunk = reference.step(predicted, timestep, chunk, generator=generator).prev_sample
    torch.testing.assert_close(actual, policy.actions.denormalize(chunk), atol=1e-5, rtol=0)


def test_row_of_ddpm_draws_from_its_own_generator() -> None:
    process = Diffusion("sample", 100, "ddpm", 10)
    both = process.step(CLEAN, 0, NOISE, generators(7, 8))
    second = process.step(CLEAN[1:], 0, NOISE[1:], generators(8))
    assert torch.equal(both[1], second[0])
    assert not torch.equal(both, process.step(CLEAN, 0, NOISE, generators(7, 9)))


@pytest.mark.parametrize("prediction", FLOW_PREDICTIONS)
@pytest.mark.parametrize("steps", [1, 4, 10])
def test_flow_follows_straight_lines_to_the_chunk(steps: int, prediction: str) -> None:
    """The velocity of a straight line is constant: any number of steps arrives."""
    process, chunk = Flow(prediction, steps), NOISE
    for index in range(steps):
        torch.testing.assert_close(chunk, torch.lerp(CLEAN, NOISE, process.times[index] / 1000))
        chunk = process.step(CLEAN if prediction == "sample" else NOISE - CLEAN, index, chunk)
    torch.testing.assert_close(chunk, CLEAN, atol=1e-5, rtol=0)


@pytest.mark.parametrize("prediction", FLOW_PREDICTIONS)
def test_flow_steps_are_those_of_diffusers(prediction: str) -> None:
    process = Flow(prediction, 4)
    reference = FlowMatchEulerDiscreteScheduler()
    reference.set_timesteps(sigmas=[1.0, 0.75, 0.5, 0.25])
    torch.testing.assert_close(process.times, reference.timesteps)
    expected = actual = NOISE
    for index, timestep in enumerate(reference.timesteps):
        velocity = torch.sin(3 * expected)
        expected = reference.step(velocity, timestep, expected).prev_sample
        sample = actual - timestep / 1000 * velocity
        actual = process.step(sample if prediction == "sample" else velocity, index, actual)
    torch.testing.assert_close(actual, expected, atol=1e-5, rtol=0)


def test_flow_noise_is_a_line_and_the_target_its_velocity() -> None:
    torch.manual_seed(0)
    noisy, times, velocity = Flow("velocity", 4).corrupt(CLEAN)
    torch.testing.assert_close(noisy, CLEAN + (times / 1000)[:, None, None] * velocity)
    torch.manual_seed(0)
    assert torch.equal(Flow("sample", 4).corrupt(CLEAN)[2], CLEAN)


def test_clean_chunk_is_clipped_only_where_actions_end_at_one() -> None:
    far = torch.full((1, 8, 7), 3.0)
    assert Diffusion("sample", 100, steps=1, clip=True).step(far, 0, NOISE[:1]).max() == 1
    assert Diffusion("sample", 100, steps=1, clip=False).step(far, 0, NOISE[:1]).max() == 3
    policy: Any = fitted("diffusion_unet", action_norm="gaussian")
    process = policy.process()
    assert process.sampler.config.clip_sample is False


def test_unet_reads_once_what_it_could_read_every_step() -> None:
    """One level for all rows, and levels embedded together, are the same as each by itself."""
    torch.manual_seed(0)
    net = ConditionalUNet1d(7, 12, [16, 32], embedding=8)
    observed, times = torch.randn(2, 12), torch.tensor([10.0, 400.0])
    seen, levels = net.read(observed), net.embed(times)
    together = net(NOISE, levels, seen)
    for row in range(2):
        alone = net(NOISE[row : row + 1], net.embed(times[row : row + 1]), net.read(observed[row : row + 1]))
        torch.testing.assert_close(alone[0], together[row], atol=1e-5, rtol=0)
    expected = torch.stack([net(NOISE, levels[i].expand(2, -1), seen) for i in range(2)])
    actual = torch.stack([net(NOISE, levels[i : i + 1], seen) for i in range(2)])
    torch.testing.assert_close(actual, expected)


@pytest.mark.parametrize("causal", [False, True])
def test_transformer_steps_see_later_ones_unless_causal(causal: bool) -> None:
    torch.manual_seed(0)
    net = DenoisingTransformer(7, 8, width=16, heads=2, layers=2, causal=causal).eval()
    seen, level = net.read(torch.randn(2, 5, 16)), net.embed(torch.tensor([300.0]))
    changed = NOISE.clone()
    changed[:, 5] += 1
    moved = (net(changed, level, seen) - net(NOISE, level, seen)).abs().amax(dim=(0, 2)) > 1e-6
    assert moved.tolist() == [not causal] * 5 + [True] * 3


def test_every_step_of_the_transformer_sees_every_token_and_the_level() -> None:
    torch.manual_seed(0)
    net = DenoisingTransformer(7, 8, width=16, heads=2, layers=1, causal=True).eval()
    tokens, level = torch.randn(2, 5, 16), net.embed(torch.tensor([300.0]))
    before = net(NOISE, level, net.read(tokens))
    for token in range(5):
        other = tokens.clone()
        other[:, token] = 0
        assert ((net(NOISE, level, net.read(other)) - before).abs().amax(dim=(0, 2)) > 1e-6).all()
    other_level = net.embed(torch.tensor([800.0]))
    assert ((net(NOISE, other_level, net.read(tokens)) - before).abs().amax(dim=(0, 2)) > 1e-6).all()


@pytest.mark.parametrize("name", ["diffusion_transformer", "flow"])
def test_transformers_read_the_grid(name: str) -> None:
    """With the `tokens` head a change in one cell of one camera reaches the actions."""
    options: dict[str, Any] = {"denoiser": "transformer"} if name == "flow" else {}
    policy = fitted(name, head="tokens", head_args={}, width=32, **options).eval()
    obs = make_batch(policy.config).obs
    before, _ = policy.predict(obs, None, generators(0, 1, 2))
    obs.features["agentview"].map[:, -1, :, 3, 2] += 3
    after, _ = policy.predict(obs, None, generators(0, 1, 2))
    assert not torch.allclose(before, after, atol=1e-5)


def test_options_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UserError, match="did you mean 'epsilon'"):
        fitted("diffusion_unet", prediction="epsilom")
    with pytest.raises(UserError, match=r"unknown policy.denoiser 'unett'; did you mean 'unet'"):
        fitted("flow", denoiser="unett")
    with pytest.raises(UserError, match=r"unknown policy.loss"):
        fitted("flow", loss="l3")


def test_a_device_does_not_move_the_noise_levels_of_another() -> None:
    """Processes are shared, and diffusers' samplers move their tables; the meta device stands for a GPU."""
    process = Diffusion("epsilon", 100)
    process.corrupt(NOISE.to("meta"))
    assert process.step(NOISE, 0, NOISE).device == NOISE.device
    assert process.corrupt(NOISE)[0].device == NOISE.device
