"""Reader processes: they decode and hash frames into shared memory, many cores for one encoder.

Each has a ring of pieces; what it read stays there until the piece after it is asked for. A process that dies
costs a line: its pieces, and those of all if all die, are read by this process. They end with this process,
since they wait for its end of a pipe.
"""

import logging
import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from s2robot.errors import UserError
from s2robot.features.reading import Frames, Piece, checked, frame_bytes, frames_ahead, pieces_of, read
from s2robot.features.source import FrameSource
from s2robot.processes.cores import usable_cores
from s2robot.processes.ending import leave_signals_to_parent
from s2robot.processes.starting import safe_children

SLOTS = 2  # pieces in the ring of a process: one is read while the other is used
SLOT_BYTES = 16 * 2**20
MOST_READERS = 8
FEWEST_CORES = 4  # below, a thread reads: the encoder needs the cores itself
FEWEST_BYTES = 2**30  # of pixels, below which starting processes takes longer than they save

log = logging.getLogger(__name__)


@runtime_checkable
class Reopenable(Protocol):
    """A `FrameSource` that another process can open again."""

    def opener(self) -> Callable[[], FrameSource]:
        """What opens it again there; can be pickled."""


def count_of_readers(source: FrameSource, camera: str, episodes: Sequence[int], on_gpu: bool) -> int:
    """How many reader processes pay here; 0: a thread reads."""
    cores = usable_cores()
    nbytes = sum(source.lengths[episode] for episode in episodes) * frame_bytes(source, camera)
    if not on_gpu or cores < FEWEST_CORES or nbytes < FEWEST_BYTES:
        return 0
    return min(MOST_READERS, cores - 2)


def read_ahead(source: FrameSource, camera: str, episodes: Sequence[int], readers: int) -> Iterator[Frames]:
    """As `frames_ahead`, by so many processes; pixels are to be copied before the next piece is asked for."""
    if readers == 0 or not isinstance(source, Reopenable):
        return frames_ahead(source, camera, episodes)
    return checked(source, camera, _read_by_processes(source, camera, episodes, readers))


class _Reader:
    """A process, and this process's end of its pipe and ring."""

    def __init__(self, opener: Callable[[], FrameSource], camera: str, slot_bytes: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        ring: Any = context.RawArray("B", SLOTS * slot_bytes)  # without a name that could be left behind
        self.ring = np.frombuffer(ring, np.uint8).reshape(SLOTS, slot_bytes)
        self.free = deque(range(SLOTS))
        self.given: dict[int, int] = {}  # number of a piece -> slot
        self.process = context.Process(target=_serve, args=(opener, camera, theirs, ring), daemon=True)
        self.process.start()
        theirs.close()

    def give(self, number: int, name: str, piece: Piece) -> None:
        self.given[number] = slot = self.free.popleft()
        self.pipe.send((number, slot, name, piece.start, piece.stop))

    def end(self) -> None:
        self.pipe.close()
        self.process.join()


class _Done(NamedTuple):
    reader: _Reader
    hashes: list[bytes]
    brightest: int


def _read_by_processes(
    source: Reopenable, camera: str, episodes: Sequence[int], count: int
) -> Iterator[Frames]:
    assert isinstance(source, FrameSource)
    slot_bytes = max(SLOT_BYTES, frame_bytes(source, camera))
    pieces = list(pieces_of(source, camera, episodes, slot_bytes))
    todo = deque(range(len(pieces)))
    done: dict[int, _Done] = {}
    with safe_children():
        readers = [_Reader(source.opener(), camera, slot_bytes) for _ in range(min(count, len(pieces)))]
    alive = list(readers)
    try:
        for number, piece in enumerate(pieces):
            while True:
                _give(alive, todo, pieces, source.episodes)
                if number in done or not any(number in reader.given for reader in alive):
                    break
                _receive(alive, done)
            if number not in done:  # it was lost with its reader, or none is left
                if todo and todo[0] == number:
                    todo.popleft()
                yield read(source, camera, piece)
                continue
            reader, hashes, brightest = done.pop(number)
            slot = reader.given.pop(number)
            shape = (piece.stop - piece.start, *source.image_size(camera), 3)
            pixels = reader.ring[slot, : int(np.prod(shape))].reshape(shape)
            yield Frames(piece, pixels, hashes, brightest)
            reader.free.append(slot)
    finally:
        for reader in readers:
            reader.end()


def _give(alive: Sequence[_Reader], todo: deque[int], pieces: Sequence[Piece], names: Sequence[str]) -> None:
    """Hand out the next pieces, one to each reader in turn, as far as there are free slots."""
    while todo and (free := [reader for reader in alive if reader.free]):
        reader = max(free, key=lambda one: len(one.free))
        try:
            reader.give(todo[0], names[pieces[todo[0]].episode], pieces[todo[0]])
        except OSError:  # it has just died, which `_receive` finds
            reader.free.clear()
            reader.given.pop(todo[0])
            continue
        todo.popleft()


def _receive(alive: list[_Reader], done: dict[int, _Done]) -> None:
    """Wait for one piece at least, or for the end of a reader."""
    ready = wait([reader.pipe for reader in alive])
    for reader in [one for one in alive if one.pipe in ready]:
        try:
            number, hashes, brightest = reader.pipe.recv()
            done[number] = _Done(reader, hashes, brightest)
        except (EOFError, OSError):
            reader.process.join()
            alive.remove(reader)
            if status := reader.process.exitcode:
                log.warning("a reader process ended (exit status %s); its frames are read without it", status)


def _serve(opener: Callable[[], FrameSource], camera: str, pipe: Connection, ring: Any) -> None:
    """What a reader process does: until its pipe is closed, read pieces into its ring."""
    leave_signals_to_parent()
    slots = np.frombuffer(ring, np.uint8).reshape(SLOTS, -1)
    try:
        source = opener()
        place = {name: episode for episode, name in enumerate(source.episodes)}
        while True:
            number, slot, name, start, stop = pipe.recv()
            if name not in place:  # the dataset has changed since
                return
            frames = read(source, camera, Piece(place[name], start, stop))
            slots[slot, : frames.pixels.size] = frames.pixels.reshape(-1)
            pipe.send((number, frames.hashes, frames.brightest))
    except (EOFError, BrokenPipeError, UserError):
        return  # the main process is gone, or reads the piece itself and says what is wrong with it
