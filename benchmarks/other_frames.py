"""Does the policy use its frames? Its success with its own, with those of other episodes, and untrained.

    python benchmarks/other_frames.py runs/demo --episodes 100

"Other episodes" feeds the policy, at each step, the frames of a random demonstration at the same step;
proprioception stays true. A policy that only replays an average motion would not notice.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from s2robot.datasets import open_dataset
from s2robot.datasets.dataset import Dataset
from s2robot.encoders.allocator import keep_freed_memory
from s2robot.encoders.cameras import CameraEncoders
from s2robot.evaluation.seeds import evaluation_seeds
from s2robot.evaluation.success_rate import wilson_interval
from s2robot.policies import make_policy
from s2robot.rollouts.agent import Agent
from s2robot.rollouts.episodes import run_episodes
from s2robot.runs import checkpoint
from s2robot.types import Actor


class OtherFrames:
    """An actor that is shown the frames of a demonstration drawn for each episode."""

    def __init__(self, agent: Agent, demos: Dataset) -> None:
        self.agent, self.demos = agent, demos
        self.obs_keys, self.obs_steps, self.action_steps = agent.obs_keys, agent.obs_steps, agent.action_steps

    def act(
        self, obs: Mapping[str, np.ndarray], states: Sequence[Any], generators: Sequence[torch.Generator]
    ) -> tuple[np.ndarray, list[Any]]:
        shown = {key: np.array(values) for key, values in obs.items()}
        after: list[Any] = []
        for row, (state, generator) in enumerate(zip(states, generators, strict=True)):
            drawn = int(torch.randint(len(self.demos.episodes), (1,), generator=generator))
            step, demo = state or (0, drawn)
            last = min(step, self.demos.lengths[demo] - 1)
            for name, camera in self.agent.policy.spec.cameras.items():
                frames = self.demos.read_frames(self.demos.episodes[demo], name)
                seen = np.clip(np.arange(last - self.obs_steps + 1, last + 1), 0, None)
                shown[camera.key][row] = frames[seen]
            after.append((step + self.action_steps, demo))
        actions, _ = self.agent.act(shown, [None] * len(after), generators)
        return actions, after


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--episodes", type=int, default=100)
    arguments = parser.parse_args()

    keep_freed_memory()
    loaded = checkpoint.load(arguments.run_dir / "checkpoints" / "last")
    policy, spec, cpu = loaded.policy, loaded.policy.spec, torch.device("cpu")
    encoders = CameraEncoders.from_dict(loaded.encoders, cpu)
    demos = open_dataset(loaded.config["data"]["path"])
    seeds = evaluation_seeds(arguments.episodes, loaded.training_seeds)

    torch.manual_seed(0)
    untrained = make_policy(spec, policy.config)
    statistics = {
        name: value for name, value in policy.state_dict().items() if name in dict(policy.named_buffers())
    }
    untrained.load_state_dict(untrained.state_dict() | statistics)
    agent = Agent(policy, encoders, cpu)
    actors: dict[str, Actor] = {
        "its own frames": agent,
        "frames of other episodes": OtherFrames(agent, demos),
        "untrained, its own frames": Agent(untrained, encoders, cpu),
    }
    print(f"{spec.env_id}, {policy.config.name}, seeds {seeds[0]} to {seeds[-1]}")
    for name, actor in actors.items():
        results = run_episodes(actor, spec.env_id, seeds, spec.env_kwargs)
        successes = sum(result.success for result in results)
        low, high = wilson_interval(successes, len(results))
        print(f"{name:28} {successes:4} of {len(results)}  [{low:.1%}, {high:.1%}]", flush=True)


if __name__ == "__main__":
    main()
