"""Recording a function's work on a GPU: on any card, and without traces where it fails."""

import pytest
import torch

from s2robot.device import Graph, GraphError, gpus


@pytest.mark.parametrize("last", [False, True], ids=["first card", "last card"])
def test_what_is_replayed_is_done_at_every_call(last: bool) -> None:
    device = torch.device(gpus()[-1 if last else 0])
    total = torch.zeros((), device=device)
    graph = Graph(lambda: total.add_(1), device)
    for _ in range(Graph.WARM_UP + 5):
        graph()
    assert float(total) == Graph.WARM_UP + 5
    assert graph._recorded is not None


def test_a_recording_that_fails_leaves_stream_and_random_numbers_as_they_were() -> None:
    """In every call that waits for the GPU; the first calls may, the one that is recorded may not."""
    device = torch.device("cuda", 0)
    numbers = torch.ones(3, device=device)

    def waits() -> None:
        torch.randn(3, device=device)
        numbers.sum().item()

    graph, stream = Graph(waits, device), torch.cuda.current_stream(device)
    for _ in range(Graph.WARM_UP):
        graph()
    with pytest.raises(GraphError, match="captur"):
        graph()
    assert torch.cuda.current_stream(device) == stream
    assert torch.isfinite(torch.randn(3, device=device)).all()
