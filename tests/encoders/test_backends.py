"""PyTorch and OpenVINO give the same features; the choice between them."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data

from s2robot.encoders import backends, make_encoder
from s2robot.encoders.backends import BACKENDS, make_backend, openvino, remembered
from s2robot.encoders.backends.choice import FastestBackend
from s2robot.errors import UserError
from tests.encoders.tiny_pretrained import tiny_pretrained, tiny_s2

FRAMES = np.stack([data.astronaut()[:448, :448], data.astronaut()[60:508, 60:508]])


def test_same_features_to_a_thousandth() -> None:
    eager, fast = (make_encoder("lite0", backend=backend, device="cpu") for backend in ("torch", "openvino"))
    expected, actual = eager.encode(FRAMES).map, fast.encode(FRAMES).map
    assert (actual - expected).abs().max() <= 1e-3 * expected.abs().max()


def test_prefix_tokens_and_several_tile_sizes() -> None:
    frames = FRAMES[:, :64, :64]
    expected, actual = (
        tiny_s2((32, 48), backend=backend).encode(frames) for backend in ("torch", "openvino")
    )
    torch.testing.assert_close(actual.map, expected.map, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(actual.prefix, expected.prefix, rtol=1e-4, atol=1e-5)


def test_openvino_gives_the_same_bits_in_any_batch() -> None:
    encoder = make_encoder("lite0", sizes=(224,), backend="openvino", device="cpu")
    assert torch.equal(encoder.encode(FRAMES).map[1:], encoder.encode(FRAMES[1:]).map)


def test_kept_graph_gives_the_same_bits_and_builds_no_network(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("S2ROBOT_CACHE", str(tmp_path))
    pretrained = tiny_pretrained()
    tiles = torch.rand(3, 3, 32, 32) * 255
    (first,) = make_backend("openvino", pretrained.spec, pretrained.build, "cpu").map([tiles])

    def never() -> torch.nn.Module:
        raise AssertionError("built although the graph is on the disk")

    (again,) = make_backend("openvino", pretrained.spec, never, "cpu").map([tiles])

    assert torch.equal(first.map, again.map)


def test_random_weights_are_not_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("S2ROBOT_CACHE", str(tmp_path))
    pretrained = tiny_pretrained()
    spec = replace(pretrained.spec, weights_sha256="")
    make_backend("openvino", spec, pretrained.build, "cpu").map([torch.rand(1, 3, 32, 32)])
    assert not (tmp_path / "openvino").exists()


def test_auto_measures_once_and_remembers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("S2ROBOT_CACHE", str(tmp_path))
    pretrained = tiny_pretrained()
    backend = make_backend("auto", pretrained.spec, pretrained.build, "cpu")
    assert not remembered()  # nothing is measured, or built, before it is needed
    assert len(backend.map([torch.rand(3, 3, 32, 32)])[0].map) == 3
    ((key, tile_ms),) = remembered().items()
    assert key.startswith(pretrained.spec.name) and tile_ms.keys() == {"openvino", "torch"}
    assert backend.name == min(tile_ms, key=tile_ms.__getitem__)

    (tmp_path / "backends.json").write_text(json.dumps({key: {"openvino": 2.0, "torch": 1.0}}))
    assert make_backend("auto", pretrained.spec, pretrained.build, "cpu").name == "torch"
    (tmp_path / "backends.json").write_text("cut o")
    assert make_backend("auto", pretrained.spec, pretrained.build, "cpu").name in tile_ms


def test_auto_runs_bfloat16_where_the_cpu_has_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pretrained = tiny_pretrained()
    spec = replace(pretrained.spec, precision="bfloat16")
    monkeypatch.setattr(backends, "computes_bfloat16", lambda: False)
    assert make_backend("auto", spec, pretrained.build, "cpu").name == "torch"
    assert caplog.messages == [
        "warning: encoder.precision=bfloat16 is slower than float32 here: this CPU has neither AMX nor "
        "AVX512-BF16"
    ]
    for module in (backends, openvino):
        monkeypatch.setattr(module, "computes_bfloat16", lambda: True)
    assert make_backend("auto", spec, pretrained.build, "cpu").name == "openvino"
    assert isinstance(make_backend("auto", pretrained.spec, pretrained.build, "cpu"), FastestBackend)
    with pytest.raises(UserError, match=r"float16 is for GPUs, and the device is 'cpu': use float32"):
        half = replace(pretrained.spec, precision="float16")
        make_backend("auto", half, pretrained.build, "cpu")


def test_openvino_computes_bfloat16_only_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """CPUs with AVX-512 and without AMX compute the same numbers, slowly; others are taken at their word."""
    monkeypatch.setattr(openvino, "computes_bfloat16", lambda: True)
    pretrained = tiny_pretrained()
    tiles = torch.rand(3, 3, 32, 32) * 255
    hints, features = [], []
    for precision in ("float32", "bfloat16"):
        spec = replace(pretrained.spec, precision=precision)
        backend = openvino.OpenVinoBackend(spec, pretrained.build, torch.device("cpu"))
        features.append(backend.map([tiles])[0].map.clone())
        compiled = backend._queues[32, 32][0].get_compiled_model()
        hints.append(compiled.get_property("INFERENCE_PRECISION_HINT").to_string())
    assert hints[0] == "f32"
    assert (features[1] - features[0]).norm() <= 0.1 * features[0].norm()
    with pytest.raises(UserError, match=r"this one has neither: use encoder.precision=float32"):
        monkeypatch.setattr(openvino, "computes_bfloat16", lambda: False)
        openvino.OpenVinoBackend(spec, pretrained.build, torch.device("cpu"))


def test_compiled_network_gives_the_same_features() -> None:
    pretrained = tiny_pretrained()
    tiles = torch.rand(8, 3, 32, 32) * 255  # a full batch of 6, and one that is filled up
    (expected,) = make_backend("torch", pretrained.spec, pretrained.build, "cpu").map([tiles])
    (actual,) = make_backend("compile", pretrained.spec, pretrained.build, "cpu").map([tiles])
    torch.testing.assert_close(actual.map, expected.map, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(actual.prefix, expected.prefix, rtol=1e-4, atol=1e-5)


def test_without_a_compiler_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    pretrained = tiny_pretrained()
    with pytest.raises(UserError, match=r"needs a C.. compiler and 'no-such-compiler' is not here"):
        BACKENDS["compile"](pretrained.spec, pretrained.build, torch.device("cpu"))


def test_half_precision_is_close_and_another_spec() -> None:
    full, half = (
        make_encoder("lite0", sizes=(64,), device="cpu", backend="torch", precision=precision)
        for precision in ("float32", "bfloat16")
    )
    expected, actual = full.encode(FRAMES).map, half.encode(FRAMES).map
    assert 0 < (actual - expected).abs().max() <= 0.1 * expected.abs().max()
    assert actual.dtype == torch.float32
    assert full.spec != half.spec


def test_unfit_choices_are_refused() -> None:
    pretrained = tiny_pretrained()
    with pytest.raises(UserError, match="did you mean 'openvino'"):
        make_backend("openvno", pretrained.spec, pretrained.build, "cpu")
    with pytest.raises(UserError, match="unknown encoder 'lite00'; did you mean 'lite0'"):
        make_encoder("lite00")
    with pytest.raises(UserError, match="computes in float32 or bfloat16, not float16"):
        make_encoder("lite0", backend="openvino", device="cpu", precision="float16")
    with pytest.raises(UserError, match="unknown precision 'float61'; did you mean 'float16'"):
        make_encoder("lite0", precision="float61")
    if not torch.cuda.is_available():
        with pytest.raises(UserError, match="sees no CUDA GPU"):
            make_encoder("lite0", device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_cuda_gives_the_same_features_to_a_thousandth() -> None:
    expected = make_encoder("lite0", backend="torch", device="cpu").encode(FRAMES).map
    actual = make_encoder("lite0", device="cuda").encode(FRAMES).map.cpu()
    assert (actual - expected).abs().max() <= 1e-3 * expected.abs().max()


def test_signals_are_handled_after_an_encoder_is_gone() -> None:
    script = (
        "import gc, os, signal\n"
        "import numpy as np\n"
        "from s2robot.encoders import make_encoder\n"
        "encoder = make_encoder('lite0', (32, 64), backend='openvino', device='cpu')\n"
        "encoder.encode(np.zeros((1, 64, 64, 3), np.uint8))\n"
        "del encoder\n"
        "gc.collect()\n"
        "signal.signal(signal.SIGTERM, lambda *_: print('handled'))\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "handled\n"), done.stderr
