"""What a LeRobot set has no place for and is kept beside it in `extras/`, which LeRobot ignores.

    dataset_meta.json                   env_args, attributes of the dataset
    masks.json                          {filter key: [names of episodes]}
    episodes.json                       {name of episode: {seed, success, ...}}
    episode_000000/arrays.npz           simulator states, executed actions, ...: time is the first axis
    episode_000000/model.xml.gz         the simulator's model
    episode_000000/ep_meta.json         the environment's description of the episode

RoboCasa's sets have the same folder, with `states.npz` for the arrays.
"""

import gzip
import json
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from s2robot.datasets.lerobot.files import Folder, check_regular, read_text
from s2robot.errors import UserError

EXTRAS = "extras"
EXTRA = f"{EXTRAS}/"  # prefix of the keys of extra arrays; a feature's name cannot hold a "/"
META, MASKS, EPISODES = "dataset_meta.json", "masks.json", "episodes.json"
ARRAYS = ("arrays.npz", "states.npz")
MODEL, EP_META = "model.xml.gz", "ep_meta.json"
# What zipfile, zlib and NumPy raise for a file that was damaged; flags may ask for what they do not have
UNREADABLE = (
    *(OSError, ValueError, KeyError, EOFError, NotImplementedError, RuntimeError),
    *(zlib.error, zipfile.BadZipFile, struct.error),
)
MAX_MODEL_BYTES = 64 << 20  # a compressed file could grow without end


class Extras:
    """The `extras` folder of a set; everything is empty where there is none."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._any = (folder.root / EXTRAS).is_dir()
        self.meta = self._object(META)
        self.masks: dict[str, list[str]] = {}
        for name, members in self._object(MASKS).items():
            if not isinstance(members, list) or not all(isinstance(member, str) for member in members):
                raise UserError(f"{self._path(MASKS)}: mask {name!r} is no list of names of episodes")
            self.masks[name] = members
        self._episodes = self._object(EPISODES)

    def seed(self, episode: str) -> int | None:
        """Reset seed of an episode."""
        seed = self._attributes(episode).get("seed")
        return seed if isinstance(seed, int) and not isinstance(seed, bool) else None

    def info(self, episode: str) -> "EpisodeInfo":
        """Attributes, the simulator's model and the description of an episode, read when they are used."""
        return EpisodeInfo(self, episode)

    def headers(self, episode: str) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
        """Shape and type of each extra array of an episode."""
        if (path := self._arrays(episode)) is None:
            return {}
        try:
            with zipfile.ZipFile(path) as file:
                members = [name for name in file.namelist() if name.endswith(".npy")]
                return {name.removesuffix(".npy"): _header(file, name) for name in members}
        except UNREADABLE as error:
            raise UserError(f"{path} cannot be read: {error}") from error

    def array(self, episode: str, key: str) -> np.ndarray:
        """One extra array; an array of objects is refused, as reading it could run code."""
        path = self.arrays_file(episode)
        try:
            with np.load(path, allow_pickle=False) as file:
                return file[key]
        except UNREADABLE as error:
            raise UserError(f"{path}, {episode}: {key!r} cannot be read: {error}") from error

    def path(self, episode: str, name: str) -> Path | None:
        """A file of an episode, if it is there. Raises `UserError` for a pipe or a device."""
        if not self._any:
            return None
        path = self._path(f"{episode}/{name}")
        if not path.exists():
            return None
        check_regular(path)
        return path

    def arrays_file(self, episode: str) -> Path:
        """The file of an episode's extra arrays; raises `UserError` if there is none."""
        if (path := self._arrays(episode)) is None:
            raise UserError(f"{self._folder.root}, {episode}: no {EXTRAS}/{episode}/{ARRAYS[0]}")
        return path

    def _arrays(self, episode: str) -> Path | None:
        return next((path for name in ARRAYS if (path := self.path(episode, name))), None)

    def _attributes(self, episode: str) -> Mapping[str, Any]:
        found = self._episodes.get(episode, {})
        return found if isinstance(found, dict) else {}

    def _path(self, name: str) -> Path:
        return self._folder.inside(f"{EXTRAS}/{name}", str(self._folder.root))

    def _object(self, name: str) -> dict[str, Any]:
        if not self._path(name).exists():
            return {}
        found = self._folder.json(f"{EXTRAS}/{name}")
        if not isinstance(found, dict):
            raise UserError(f"{self._path(name)}: found {type(found).__name__}, expected a JSON object")
        return found


class EpisodeInfo(Mapping[str, Any]):
    """What is known of an episode beside its arrays; `model_file` and `ep_meta` are read on access."""

    def __init__(self, extras: Extras, episode: str) -> None:
        self._extras, self._episode = extras, episode

    def __getitem__(self, key: str) -> Any:
        files = {"model_file": (MODEL, _read_gzip), "ep_meta": (EP_META, read_text)}
        if key in files:
            name, read = files[key]
            if path := self._extras.path(self._episode, name):
                return read(path)
        return self._extras._attributes(self._episode)[key]

    def __iter__(self) -> Iterator[str]:
        names: Sequence[tuple[str, str]] = (("model_file", MODEL), ("ep_meta", EP_META))
        yield from (key for key, name in names if self._extras.path(self._episode, name))
        yield from self._extras._attributes(self._episode)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class ExtrasWriter:
    """Writes the folder below `root`; nothing appears that has no content."""

    def __init__(self, root: Path) -> None:
        self._root = root / EXTRAS
        self._attributes: dict[str, Mapping[str, Any]] = {}

    def episode(self, episode: str, arrays: Mapping[str, np.ndarray], info: Mapping[str, Any]) -> None:
        """Keep what belongs to one episode; `info` as `Extras.info` gives it."""
        folder = self._root / episode
        plain = {key: value for key, value in info.items() if key not in ("model_file", "ep_meta")}
        if plain:
            self._attributes[episode] = plain
        if arrays or len(plain) < len(info):
            folder.mkdir(parents=True, exist_ok=True)
        if arrays:
            np.savez(folder / ARRAYS[0], **arrays)  # type: ignore[arg-type] # "allow_pickle" is no array
        if "model_file" in info:
            (folder / MODEL).write_bytes(gzip.compress(str(info["model_file"]).encode(), mtime=0))
        if "ep_meta" in info:
            (folder / EP_META).write_text(str(info["ep_meta"]))

    def finish(self, meta: Mapping[str, Any], masks: Mapping[str, Sequence[str]]) -> None:
        """Keep what belongs to the whole set."""
        for name, content in ((META, meta), (MASKS, masks), (EPISODES, self._attributes)):
            if content:
                self._root.mkdir(parents=True, exist_ok=True)
                (self._root / name).write_text(json.dumps(content, indent=4))


def _header(archive: zipfile.ZipFile, name: str) -> tuple[tuple[int, ...], np.dtype]:
    with archive.open(name) as file:
        version = np.lib.format.read_magic(file)
        headers = np.lib.format
        read = headers.read_array_header_1_0 if version == (1, 0) else headers.read_array_header_2_0
        shape, _, dtype = read(file)
        return shape, dtype


def _read_gzip(path: Path) -> str:
    try:
        with gzip.open(path) as file:
            content = file.read(MAX_MODEL_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be unpacked: {error}") from error
    if len(content) > MAX_MODEL_BYTES:
        raise UserError(f"{path} holds more than {MAX_MODEL_BYTES} bytes; that is no model of a simulator")
    return content.decode(errors="replace")
