"""Which device to compute on, with how many threads, and how work on a GPU is replayed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from s2robot.errors import UserError


def choose_device(name: str) -> torch.device:
    """`auto` is the GPU where there is one, else the CPU; other names are torch's."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise _unknown(name) from error
    if device.type not in ("cpu", "cuda"):
        raise _unknown(name)
    if device.type == "cuda" and (device.index or 0) >= (count := torch.cuda.device_count()):
        there = f"only cuda:0 to cuda:{count - 1}" if count else "no CUDA GPU"
        raise UserError(f"device {name!r}: torch finds {there}; use device=auto")
    return device


def gpus() -> list[str]:
    """The names of the GPUs of this machine that PyTorch may use."""
    return [f"cuda:{number}" for number in range(torch.cuda.device_count())]


# How CUDA says that a GPU has gone: its driver, its bus or its memory failed, or it was taken away. Others of
# its errors, such as a failed assertion, are defects of a program.
GONE = (
    "no CUDA-capable device is detected",
    "busy or unavailable",
    "unspecified launch failure",
    "uncorrectable",  # ECC and NVLink
    "unknown error",
    "driver shutting down",
    "device not ready",
    "invalid device ordinal",
)


def lost_gpu(error: RuntimeError) -> UserError | None:
    """What to say of PyTorch's error if it means that a GPU is gone; None of any other error."""
    first = str(error).partition("\n")[0]
    if "CUDA error" not in first or not any(words in first for words in GONE):
        return None
    return UserError(
        f"the GPU does not answer any more ({first}): what was stored before is valid; see what nvidia-smi "
        "and dmesg say, then start the command again, on another GPU if this one is lost"
    )


def wait_for(device: torch.device) -> None:
    """Wait until a GPU has done all that it was given; what is timed without it is only the launch."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _unknown(name: str) -> UserError:
    return UserError(f"unknown device {name!r}; known: auto, cpu, cuda, cuda:1, ...")


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Use `count` CPU threads inside PyTorch's operations meanwhile.

    For small operations beside another engine: PyTorch's idle OpenMP threads keep spinning for a while
    after every parallel operation and take the cores that the other engine needs. Not for use while
    other threads of this process compute with PyTorch, whose libraries share the setting.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class GraphError(Exception):
    """A function's work on a GPU cannot be recorded; says why in one line. Nothing of it was done."""


class Graph:
    """A function whose work on a GPU is recorded once (a CUDA graph), and replayed with one call after that.

    It reads and writes tensors that stay where they are, does the same operations at every call, and never
    waits for the GPU. The first calls run it as it is: libraries choose and allocate then.
    """

    WARM_UP = 3

    def __init__(self, function: Callable[[], object], device: torch.device) -> None:
        self._function, self._device, self._calls = function, device, 0
        self._recorded: torch.cuda.CUDAGraph | None = None
        self._stream = torch.cuda.Stream(device)

    def __call__(self) -> None:
        """Do it once more. Raises `GraphError` in the call that would record it, if it cannot be."""
        with torch.cuda.device(self._device):  # streams and recordings are those of the current device
            self._call()

    def _call(self) -> None:
        self._calls += 1
        if self._calls <= self.WARM_UP:
            self._stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(self._stream):
                self._function()
            torch.cuda.current_stream().wait_stream(self._stream)
            return
        if self._recorded is None:
            self._recorded = self._record()
        self._recorded.replay()

    def _record(self) -> torch.cuda.CUDAGraph:
        graph = torch.cuda.CUDAGraph()
        try:
            # Other threads may prepare batches meanwhile. The outer context gives the stream back where a
            # recording fails, which torch.cuda.graph does not.
            with (
                torch.cuda.stream(self._stream),
                torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"),
            ):
                self._function()
            return graph
        except RuntimeError as error:
            torch.cuda.synchronize()
            # what ends the recording only says that something was wrong before
            reason = " ".join(str(error.__context__ or error).split())[:200]
        graph.reset()
        raise GraphError(reason)
