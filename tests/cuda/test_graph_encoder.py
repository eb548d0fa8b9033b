"""Encoding with recorded launches gives what launching each operation gives."""

import pytest
import torch

from s2robot.encoders import make_encoder


@pytest.mark.parametrize(("precision", "share"), [("float32", 1e-3), ("float16", 0.02)])
def test_a_graph_gives_what_the_network_gives(precision: str, share: float) -> None:
    generator = torch.Generator().manual_seed(0)
    frames = torch.randint(0, 256, (70, 96, 96, 3), dtype=torch.uint8, generator=generator).cuda()
    eager, graphed = (
        make_encoder("lite0", sizes=(64, 96), backend=backend, device="cuda", precision=precision)(frames)
        for backend in ("torch", "graph")
    )
    difference = (eager.map.float() - graphed.map.float()).square().mean().sqrt()
    assert difference <= share * eager.map.float().square().mean().sqrt()
