"""The feature store on disk: one folder for each way of encoding, one row for each different frame (or view).

    <root>/<encoder>-<key>/
        settings.json     all that decides the features; its hash is the key
        segments/         one folder for each process that ever appended (see `segment.py`)
        <share>.lock      held by the process that builds this share of a dataset

A reader sees the union of the segments. A writer appends to a segment of its own, so no two can mix what they
write, on whatever file system and machine they are. A lock only saves work: two that build the same would
encode the same frames twice.
"""

import fcntl
import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch

from s2robot.encoders.base import EncoderSpec
from s2robot.errors import UserError
from s2robot.features.mapped import MappedRows
from s2robot.features.options import FeaturesConfig
from s2robot.features.row import Row
from s2robot.features.segment import Segment
from s2robot.features.snapshot import Snapshot
from s2robot.files import cache_root, read_text, write_text

FORMAT = 2
DTYPES = {"float16": torch.float16, "float32": torch.float32}

WRITERS = "writers"  # the lock that builds and merges share, and that nobody has who removes rows

log = logging.getLogger(__name__)


class FeatureStore:
    """The rows of one way of encoding; reading needs no lock, and makes no folder.

    `shape` is (c, gh, gw) of a frame's map, `dtype` "float16" or "float32"; `row` says whether prefix tokens
    follow the map. Raises UserError if the folder on disk was made with other settings, or is damaged.
    """

    def __init__(
        self,
        spec: EncoderSpec,
        shape: tuple[int, int, int],
        dtype: str = FeaturesConfig.dtype,
        root: str | Path | None = None,
    ) -> None:
        if dtype not in DTYPES:
            raise UserError(f"features are stored as {' or '.join(DTYPES)}, not as {dtype!r}")
        settings = {"format": FORMAT, "dtype": dtype, "shape": list(shape), "encoder": spec.to_dict()}
        if spec.prefix_shape:  # stores of encoders without prefix tokens keep their key
            settings["prefix"] = list(spec.prefix_shape)
        self._open(settings, Path(root or default_root()).expanduser())

    @classmethod
    def like(cls, folder: Path, root: Path | None = None) -> "FeatureStore":
        """The store in a folder, or the store of the same settings under another root.

        Raises UserError if there is no store that this version reads.
        """
        settings = _read_settings(folder)
        try:
            right = settings["format"] == FORMAT and folder.name == _folder_name(settings)
            if right:
                store = cls.__new__(cls)
                store._open(settings, root or folder.parent)
                return store
        except UserError:
            raise
        except KeyError as error:
            raise UserError(f"{folder} is no feature store: settings.json lacks {error}") from error
        except (TypeError, ValueError) as error:
            raise UserError(f"{folder} is no feature store: settings.json is damaged ({error})") from error
        raise UserError(
            f"{folder} is no feature store of format {FORMAT} under its own name; its settings.json is of "
            f"{_folder_name(settings)}, format {settings['format']}"
        )

    def _open(self, settings: dict[str, Any], root: Path) -> None:
        prefix = settings.get("prefix")
        self.row = Row(tuple(settings["shape"]), tuple(prefix) if prefix else None)
        self.dtype = DTYPES[settings["dtype"]]
        self.row_bytes = self.row.numbers * self.dtype.itemsize
        self.folder = root / _folder_name(settings)
        self.segments_folder = self.folder / "segments"
        self.earlier = root / _folder_name(settings | {"format": 1})  # what 0.1 called it
        if self.earlier.exists() and not self.folder.exists():
            log.warning(
                "warning: %s is of format 1 and is not read: its frames are encoded again; delete it",
                self.earlier,
            )
        self._settings = settings
        self._check_settings(settings)

    def segments(self) -> list[Segment]:
        """All segments as they are now, in the order of their names; UserError if one is damaged."""
        return [Segment(folder, self.row_bytes) for folder in self.segment_folders()]

    def segment_folders(self) -> list[Path]:
        """The folders of all segments that have a name of a segment, in order."""
        return sorted(self.segments_folder.glob("[0-9a-f]" * 16))

    def snapshot(self) -> Snapshot:
        """All rows that are valid now."""
        return Snapshot(self.segments())

    def rows(self, snapshot: Snapshot) -> MappedRows:
        """The rows of a snapshot, mapped from the disk."""
        return MappedRows(snapshot.segments, self.row.numbers, self.dtype)

    @contextmanager
    def lock(self, share: str) -> Iterator[None]:
        """Wait until no other process builds this share here, and none removes rows.

        Makes the folder where there is none. Does not wait where files cannot be locked.
        """
        self.make()
        with self._locked(WRITERS, fcntl.LOCK_SH), self._locked(share, fcntl.LOCK_EX):
            yield

    @contextmanager
    def _locked(self, name: str, how: int) -> Iterator[None]:
        with open(self.folder / f"{name}.lock", "w") as lock:
            try:
                fcntl.flock(lock, how | fcntl.LOCK_NB)
            except BlockingIOError:
                log.warning("waiting for another process that writes %s", self.folder)
                fcntl.flock(lock, how)
            except OSError as error:
                log.warning(
                    "%s cannot be locked (%s): frames may be encoded twice", lock.name, error.strerror
                )
            yield

    @contextmanager
    def locked_alone(self) -> Iterator[None]:
        """Hold the locks of all builds and merges, of those to come too. Raises UserError while one runs.

        Where files cannot be locked, nobody is noticed.
        """
        self.make()
        with ExitStack() as stack:
            shares = {WRITERS, *(path.stem for path in self.folder.glob("*.lock"))}
            for share in sorted(shares):
                lock = stack.enter_context(open(self.folder / f"{share}.lock", "w"))
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError as error:
                    raise UserError(
                        f"{self.folder} is being written ({lock.name} is locked); wait until that has ended"
                    ) from error
                except OSError as error:
                    log.warning("%s cannot be locked (%s)", lock.name, error.strerror)
            yield

    def make(self) -> None:
        """Make the folder where it is not there yet. Raises UserError if that cannot be done."""
        file = self.folder / "settings.json"
        if file.exists():
            return
        try:
            self.segments_folder.mkdir(parents=True, exist_ok=True)
            write_text(file, json.dumps(self._settings, indent=2) + "\n")
        except OSError as error:
            raise UserError(
                f"cannot make feature store {self.folder}: {error.strerror} (S2ROBOT_CACHE moves it)"
            ) from error

    def _check_settings(self, settings: dict[str, Any]) -> None:
        if not (self.folder / "settings.json").exists():
            return
        stored = _read_settings(self.folder)
        differing = sorted(key for key in settings if stored.get(key) != settings[key])
        if differing:
            raise UserError(
                f"feature store {self.folder} was made with other settings ({', '.join(differing)}) than its "
                f"name says; delete the folder to encode its frames again"
            )


def default_root() -> Path:
    """The folder of the stores, where `features.root` names no other."""
    return cache_root() / "features"


def _read_settings(folder: Path) -> dict[str, Any]:
    try:
        stored = json.loads(read_text(folder / "settings.json"))
    except (ValueError, RecursionError, OSError) as error:
        raise UserError(f"feature store {folder} is damaged: settings.json is no JSON") from error
    return stored if isinstance(stored, dict) else {}


def _folder_name(settings: dict[str, Any]) -> str:
    return f"{settings['encoder']['name']}-{_key(settings)}"


def _key(settings: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]
