"""How long a policy takes to act once the encoder has seen: heads, denoiser and sampler for one observation.

    python benchmarks/latency.py [--threads 2] [--calls 50]

Policies have random weights (time does not depend on them) and the shapes of EfficientNet-Lite0 with S2 at
224 + 448, two cameras. Beside them the U-Net of Diffusion Policy in its published sizes (arXiv 2303.04137:
channels 512, 1024, 2048, kernel 5, horizon 16, two observations of two cameras of 64 numbers and a 9-number
state), made of the same layers in the same run: its 10 DDIM steps alone, without any encoder. `ratio` is
the time beside it.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from inputs import two_cameras

from s2robot.device import torch_threads
from s2robot.policies import POLICIES, Policy, make_policy
from s2robot.policies.denoisers.unet import ConditionalUNet1d
from s2robot.policies.processes import Diffusion
from s2robot.types import Features, Observation

GRID = (14, 14)
CHANNELS = 2 * 112  # of Lite0 at stride 16, two scales side by side
SPEC = two_cameras((CHANNELS, *GRID), scales=2, env_id="s2robot/PickCube-v0")
MEASURED: dict[str, tuple[str, dict[str, Any]]] = {
    "bc": ("bc", {}),
    "act": ("act", {}),
    "flow, 4 steps": ("flow", {}),
    "flow, transformer, 4 steps": ("flow", {"denoiser": "transformer"}),
    "diffusion_unet, 10 DDIM steps": ("diffusion_unet", {}),
    "diffusion_transformer, 10 DDIM steps": ("diffusion_transformer", {}),
    "diffusion_transformer, head=tokens": ("diffusion_transformer", {"head": "tokens"}),
}
PUBLISHED = "U-Net of Diffusion Policy, 10 DDIM steps, no head"
PUBLISHED_CONDITION = 2 * (2 * 64 + 9)


def acting(policy: Policy) -> Callable[[], object]:
    """One decision of a policy whose observation is there."""
    policy.eval()
    steps = policy.config.read_steps
    obs = Observation(
        {name: Features(torch.rand(1, steps, *c.features).half()) for name, c in SPEC.cameras.items()},
        {key: torch.rand(1, steps, dim) for key, dim in SPEC.proprio.items()},
    )
    generator = torch.Generator().manual_seed(0)
    return lambda: policy.predict(obs, [None], [generator])


def published_unet() -> tuple[ConditionalUNet1d, Callable[[], object]]:
    """The reference network and one drawing of a chunk with it."""
    net = ConditionalUNet1d(7, PUBLISHED_CONDITION, [512, 1024, 2048], kernel=5, time_dim=128).eval()
    process, condition = Diffusion("epsilon", 100, "ddim", 10), torch.randn(1, PUBLISHED_CONDITION)

    def draw() -> torch.Tensor:
        seen, levels, chunk = net.read(condition), net.embed(process.times), torch.randn(1, 16, 7)
        for step in range(len(levels)):
            chunk = process.step(net(chunk, levels[step : step + 1], seen), step, chunk)
        return chunk

    return net, draw


@torch.inference_mode()
def median_ms(call: Callable[[], object], calls: int) -> float:
    """Median wall time of a call, after three that warm up."""
    seconds = []
    for _ in range(calls + 3):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return 1000 * statistics.median(seconds[3:])


def rows(calls: int) -> Iterator[tuple[str, int, int, float]]:
    """Name, parameters, horizon, median time in ms; the reference first."""
    net, draw = published_unet()
    yield PUBLISHED, _parameters(net), 16, median_ms(draw, max(3, calls // 10))
    for label, (name, options) in MEASURED.items():
        policy = make_policy(SPEC, POLICIES[name].options(**options))
        yield label, _parameters(policy), policy.config.horizon, median_ms(acting(policy), calls)


def _parameters(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--threads", type=int, default=1, help="of PyTorch; rollouts act with 1")
    parser.add_argument("--calls", type=int, default=50)
    arguments = parser.parse_args()
    print(f"torch {torch.__version__} eager, {arguments.threads} threads, batch 1, {arguments.calls} calls")
    print(f"{'policy':52} {'parameters':>11} {'horizon':>7} {'ms':>8} {'ratio':>7}")
    reference = None
    with torch_threads(arguments.threads):
        for label, parameters, horizon, ms in rows(arguments.calls):
            reference = reference or ms
            print(f"{label:52} {parameters:11,} {horizon:7} {ms:8.1f} {ms / reference:7.3f}", flush=True)


if __name__ == "__main__":
    main()
