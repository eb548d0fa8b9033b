"""The numbers that `s2robot encoders` shows, held against closed forms."""

import json
from pathlib import Path
from typing import Any

import pytest

from s2robot.commands import cli
from s2robot.encoders import costs, make_encoder
from s2robot.encoders.costs import cost, table, weights_here
from s2robot.encoders.options import EncoderConfig


def transformer_flops(tokens: int, width: int, depth: int, cells: int) -> float:
    """Of a vision transformer with a four times wider MLP and 16x16 patches (a multiply-add is two)."""
    layer = 12 * tokens * width**2 + 2 * tokens**2 * width
    return 2 * (depth * layer + cells * 3 * 16 * 16 * width)


def test_operations_of_a_transformer_are_the_closed_form() -> None:
    row = cost("mae_b", (224, 448), timed=False)
    assert row.gflops == pytest.approx(5 * transformer_flops(197, 768, 12, 196) / 1e9, rel=1e-6)
    assert row.tiles == 5 and row.grid == (14, 14)
    assert row.parameters == 85_798_656  # ViT-B/16 without a classifier, as timm counts it
    assert row.frame_bytes == 2 * 768 * (14 * 14 + 1) * 2  # scales, channels, cells and class token, fp16
    assert row.frame_ms is None and row.bfloat16_ms is None


def test_both_precisions_are_timed_where_the_cpu_has_both(monkeypatch: pytest.MonkeyPatch) -> None:
    timed = []

    def frame_ms(options: EncoderConfig, side: int, device: str | None) -> float:
        timed.append(options.precision)
        return float(len(timed))

    monkeypatch.setattr(costs, "_frame_ms", frame_ms)
    monkeypatch.setattr(costs, "computes_bfloat16", lambda: True)
    row = cost("lite0", (224,), "cpu")
    assert (row.frame_ms, row.bfloat16_ms, timed) == (1.0, 2.0, ["float32", "bfloat16"])
    monkeypatch.setattr(costs, "computes_bfloat16", lambda: False)
    assert cost("lite0", (224,), "cpu").bfloat16_ms is None


def test_nothing_beyond_the_layer_is_counted() -> None:
    backend: Any = make_encoder("lite0", (224,), backend="torch", device="cpu").backend
    network = backend.network
    row = cost("lite0", (224,), timed=False)
    assert row.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert cost("lite0", (448,), timed=False).gflops == pytest.approx(4 * row.gflops)


def test_weights_that_are_here_are_known_without_a_network(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("S2ROBOT_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    assert weights_here("lite0") and not weights_here("dinov2_s") and not weights_here("r3m_18")


def test_table_says_which_sizes_do_not_fit() -> None:
    lines = table(["dinov2_s", "r3m_18"], (96,))
    assert "near it: 84, 98" in lines[1]
    assert "256x6x6" in lines[2] and lines[2].endswith("mit")


def test_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(
        "sys.argv", ["s2robot", "encoders", "lite0", "--sizes", "32,64", "--device", "cpu", "--json"]
    )
    cli.main()
    (row,) = json.loads(capsys.readouterr().out)
    assert row["name"] == "lite0" and row["frame_ms"] > 0 and row["grid"] == [2, 2]
    monkeypatch.setattr("sys.argv", ["s2robot", "encoders", "r3m_34", "--sizes", "64"])
    cli.main()
    assert "no weights" in capsys.readouterr().out
