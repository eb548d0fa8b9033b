"""`sizes.json` of a run: how much was trained, on how much, and what a frame costs. Reports show it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from s2robot.encoders.cameras import CameraEncoders
from s2robot.encoders.costs import FLOAT16_BYTES, frame_gflops, used_network
from s2robot.files import write_text
from s2robot.policies import Policy

NAME = "sizes.json"


def sizes(policy: Policy, encoders: CameraEncoders, demonstrations: Mapping[str, int]) -> dict[str, Any]:
    """Numbers of demonstrations and parameters, and of each camera GFLOPs and stored bytes a frame.

    Nothing is computed with weights; bytes are those of float16.
    """
    network = used_network(encoders.options)
    cameras = {}
    for name, camera in policy.spec.cameras.items():
        channels, gh, gw = camera.features
        tokens, width = camera.prefix or (0, 0)
        cameras[name] = {
            "gflops": round(frame_gflops(network, encoders.encoder(name).spec, camera.size), 4),
            "feature_bytes": (channels * gh * gw + tokens * width) * FLOAT16_BYTES,
        }
    return {
        "demonstrations": dict(demonstrations),
        "policy_parameters": sum(one.numel() for one in policy.parameters() if one.requires_grad),
        "encoder_parameters": sum(one.numel() for one in network.parameters()),
        "cameras": cameras,
    }


def write_sizes(run_dir: Path, found: Mapping[str, Any]) -> None:
    """Write the file, complete or not at all."""
    write_text(run_dir / NAME, json.dumps(found, indent=2) + "\n")
