"""A dataset whatever its format: what training, tools and the feature store read."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from s2robot import plugins
from s2robot.datasets import images
from s2robot.datasets.agreement import usual_arrays
from s2robot.datasets.cameras import Camera, cameras_of
from s2robot.datasets.environment import fault, is_absolute
from s2robot.datasets.episodes import Episode, episodes_of, of_task
from s2robot.datasets.formats import open_sources
from s2robot.datasets.keys import Chosen, Keys
from s2robot.datasets.options import DataConfig
from s2robot.datasets.presets import orientation, preset_of
from s2robot.datasets.problem import Problem
from s2robot.datasets.source import Source
from s2robot.datasets.splits import split
from s2robot.datasets.weights import frame_weights
from s2robot.errors import UserError, unknown_name


class Dataset:
    """Demonstrations with their cameras, proprioception and actions; a `FrameSource`.

    Frames are numbered through all episodes in their order. Arrays that have a row more than the actions (the
    observation after the last one) lose it. Made by `open_dataset`, which checks what is used.
    """

    def __init__(
        self, sources: Sequence[Source], options: DataConfig, entries: Sequence[int] | None = None
    ) -> None:
        """`entries`: which entry of `data.path` each source comes from.

        Raises `UserError` for keys that are not there, or are several.
        """
        self.entries = list(range(len(sources))) if entries is None else list(entries)
        self.sources, self.options = list(sources), options
        self.format, self.version = sources[0].format, sources[0].version
        self.path = sources[0].path
        self.warnings: list[Problem] = []
        every = episodes_of(sources)
        self.tasks = tuple(dict.fromkeys(task for one in every for task in one.recorded.tasks))
        self.records = of_task(every, options.task, self.tasks)
        self.presets = [preset_of(source) for source in sources]
        self.preset = self.presets[0]
        self.keys = self._keys()
        self.action_keys = self.keys.actions(options.actions)
        self._leave_out_empty_ones()
        self.keys = self._keys()  # of those that are left
        self.lengths: Sequence[int] = [self._rows(one) for one in self.records]
        self.episodes: Sequence[str] = [one.name for one in self.records]
        self._index = {name: i for i, name in enumerate(self.episodes)}
        self.offsets = np.concatenate([[0], np.cumsum(self.lengths, dtype=np.int64)])  # first frame of each
        self.cameras = cameras_of(self.keys, self.records, options, self.stored_orientation)
        self.proprio_keys = self._proprio(options.proprio)
        self._numbers: dict[str, np.ndarray] = {}
        self._stored: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    @property
    def source(self) -> Source:
        """The first source: what all of them have in common is read off it."""
        return self.sources[0]

    def episode_identity(self, episode: str, camera: str) -> str:
        """Changes when an episode's frames of a camera may have changed, links resolved; cheap."""
        one, seen = self.records[self._index[episode]], self._camera(camera)
        stored = one.source.identity(one.number, seen.key)
        return f"{stored} {seen.transform}" if seen.transform else stored

    @property
    def env_args(self) -> Mapping[str, Any] | None:
        """How the environment was made, as robomimic has it; None where that is missing or of no use."""
        found = self.source.env_args
        return None if found is None or fault(found) else found

    @property
    def env_problem(self) -> str:
        """Why what the file says of its environment is of no use; "" where it is, or says nothing."""
        found = self.source.env_args
        return self.source.env_problem if found is None else fault(found)

    @property
    def fps(self) -> float | None:
        """Steps a second, where the format says it."""
        return self.source.fps

    @property
    def seeds(self) -> set[int]:
        """Reset seeds of the episodes, where the files know them."""
        return {one.recorded.seed for one in self.records if one.recorded.seed is not None}

    def split(self, filter_key: str | None) -> list[int]:
        """Indices of the episodes under a filter key, of all for None."""
        return self.splits(filter_key, None)[0]

    def splits(self, train: str | None, valid: str | None) -> tuple[list[int], list[int]]:
        """Episodes to train and to validate on; see `splits.split`, which decides for each source."""
        joined: tuple[list[int], list[int]] = ([], [])
        for part, source in enumerate(self.sources):
            numbers = {one.recorded.name: i for i, one in enumerate(self.records) if one.part == part}
            for all_, chosen in zip(joined, split(source, numbers, train, valid), strict=True):
                all_ += chosen
        return joined

    def frames_of(self, episodes: Sequence[int]) -> np.ndarray:
        """Indices of all frames of these episodes."""
        return np.concatenate([np.arange(self.offsets[i], self.offsets[i + 1]) for i in episodes])

    def flips(self, camera: str) -> tuple[int, ...]:
        """Axes of (h, w, 3) along which a camera's stored frames are flipped to be upright."""
        return images.TRANSFORMS[self._camera(camera).transform]

    def locate(self, frame: int) -> tuple[Episode, int]:
        """The episode of a frame that is numbered through all episodes, and its number inside."""
        i = int(np.searchsorted(self.offsets, frame, side="right")) - 1
        return self.records[i], frame - int(self.offsets[i])

    def frame_weights(self, episodes: Sequence[int]) -> Float[np.ndarray, "n"] | None:
        """How often each frame of these episodes is drawn, by `data.weights`; None where all are alike."""
        if self.options.weights is None:
            return None
        parts = np.array([one.part for one in self.records])
        return frame_weights(self.options.weights, parts, self.entries, self.lengths, episodes)

    def image_size(self, camera: str) -> tuple[int, int]:
        """Height and width of a camera's frames, in pixels."""
        return self._camera(camera).size

    def observation_key(self, camera: str) -> str:
        """The key under which an environment observes a camera: the dataset's own where it follows robosuite.

        `obs/agentview_image` -> `agentview_image`, `obs/pixels` -> `pixels`, `obs/agentview_rgb` and
        `observation.images.agentview` -> `agentview_image`.
        """
        short = self.keys.short(self._camera(camera).key)
        robosuite = f"{camera}_image"
        return short if short in (camera, robosuite) else robosuite

    def read_frames(
        self, episode: str, camera: str, start: int = 0, stop: int | None = None
    ) -> UInt8[np.ndarray, "t h w 3"]:
        """Frames start to stop of one episode, decoded, the top row first; `stop` may lie behind the last.

        Raises `UserError` for an unknown episode or camera, and for frames before the first.
        """
        if episode not in self._index:
            raise unknown_name("episode", str(episode), self._index, self.options.path)
        i, seen = self._index[episode], self._camera(camera)
        last = self.lengths[i] if stop is None else min(stop, self.lengths[i])
        if not 0 <= start <= last:
            asked = f"frames {start} to {'the end' if stop is None else stop}"
            raise UserError(f"{episode}: {asked}: expected 0 <= start <= stop, and it has {self.lengths[i]}")
        one = self.records[i]
        return images.upright(one.source.read(one.number, seen.key, start, last), seen.transform)

    def proprioception(self, keys: Sequence[str] | None = None) -> dict[str, Float[np.ndarray, "n _"]]:
        """Observations of the robot itself, by name; those of the options unless `keys` are given."""
        chosen = self.proprio_keys if keys is None else self._proprio(keys)
        return {name: self.numbers(key) for name, key in chosen.items()}

    def low_dim(self, key: str) -> Float[np.ndarray, "n d"]:
        """One array of numbers over all frames of all episodes, each row flattened."""
        return self.numbers(self.keys.number_key(key))

    def actions(self) -> Float[np.ndarray, "n da"]:
        """Actions of all episodes, one a frame; of several keys side by side."""
        return np.concatenate([self.numbers(key) for key in self.action_keys.values()], axis=1)

    @property
    def absolute(self) -> bool:
        """Whether actions are absolute poses: by option, by their key, or by the controller of env_args."""
        if self.options.absolute is not None:
            return self.options.absolute
        keys = self.action_keys.values()
        if any(key == "actions_abs" or "/abs_" in key for key in keys):
            return True
        return self.options.actions is None and is_absolute(self.env_args)

    @property
    def has_known_box(self) -> bool:
        """Whether the family says that actions are in [-1, 1]: the format's usual ones, where deltas."""
        bounded = self.preset is not None and self.preset.bounded
        return bounded and self.options.actions is None and not self.absolute

    def executed_actions(self) -> Float[np.ndarray, "n da"] | None:
        """What was executed where the format keeps it beside what is to be imitated."""
        key = self.source.executed_actions
        if any(source.executed_actions != key for source in self.sources):
            return None
        return None if key is None or self.options.actions is not None else self.numbers(key)

    def width(self, key: str) -> int:
        """Numbers in a row of an array."""
        return int(np.prod(self.keys.arrays[key].shape))

    def numbers(self, key: str) -> Float[np.ndarray, "n d"]:
        """An array by the format's own key; read once. Raises `UserError` naming the episode without it."""
        if key not in self._numbers:
            rows, low, high = [], [], []
            for one, length in zip(self.records, self.lengths, strict=True):
                if key not in one.recorded.arrays:
                    problem = f"it is not there; this episode has {', '.join(sorted(one.recorded.arrays))}"
                    raise UserError(str(self.problem(one, key, problem)))
                values = one.source.read(one.number, key, 0, length).reshape(length, -1)
                low.append(values.min(0))
                high.append(values.max(0))
                with np.errstate(over="ignore"):  # what becomes infinite is refused by the checks
                    rows.append(np.asarray(values, dtype=np.float32))
            self._numbers[key] = np.concatenate(rows)
            self._stored[key] = np.array(low, np.float64), np.array(high, np.float64)
        return self._numbers[key]

    def stored_ranges(self, key: str) -> tuple[Float[np.ndarray, "e d"], Float[np.ndarray, "e d"]]:
        """Lowest and highest number of each column of an array in each episode, as they are stored."""
        self.numbers(key)
        return self._stored[key]

    @staticmethod
    def problem(one: Episode, key: str, problem: str) -> Problem:
        """A fault of an array of an episode."""
        return Problem(problem, str(one.recorded.file), one.recorded.name, key)

    def opener(self) -> Callable[[], "Dataset"]:
        """What opens this dataset in another process; can be pickled."""
        return partial(Dataset.reopened, self.options, plugins.loaded())

    @classmethod
    def reopened(cls, config: DataConfig, modules: Sequence[str]) -> "Dataset":
        """A dataset that was opened and checked before, in another process with these plugins."""
        plugins.load(modules)
        sources, entries = open_sources(config)
        return cls(sources, config, entries)

    def close(self) -> None:
        for source in self.sources:
            source.close()

    def _keys(self) -> Keys:
        return Keys(self.source, self.preset, usual_arrays(one.recorded for one in self.records))

    def _proprio(self, chosen: Chosen) -> dict[str, str]:
        return self.keys.proprio(chosen, self.action_keys.values())

    def _leave_out_empty_ones(self) -> None:
        """Leave out episodes without a step, with a warning. Raises `UserError` when none is left."""
        empty = [one for one in self.records if self._rows(one) == 0 and self.has_time(one)]
        if len(empty) == len(self.records):
            raise UserError(f"{self.path} has {len(empty)} demonstrations, all without a step")
        key = next(iter(self.action_keys.values()))
        self.warnings += [self.problem(one, key, "it has 0 steps and is left out") for one in empty]
        self.records = [one for one in self.records if one not in empty]

    def _rows(self, one: Episode) -> int:
        """Actions of an episode."""
        key = next(iter(self.action_keys.values()))
        found = one.recorded.arrays.get(key)
        if found is None:
            raise UserError(str(self.problem(one, key, "its actions are not there")))
        if not found.dtype:
            raise UserError(str(self.problem(one, key, f"found {found.describe()}; {found.note}")))
        return found.rows

    def has_time(self, one: Episode) -> bool:
        """Whether the actions of an episode are an array along time, however short, and no single value."""
        return one.recorded.arrays[next(iter(self.action_keys.values()))].kind == "numbers"

    def stored_orientation(self) -> tuple[str, str]:
        """How frames are stored where the options do not say it, and who says it: a format, a family, or "".

        Raises `UserError` for several sources of which some are stored otherwise.
        """
        found = [orientation(*pair) for pair in zip(self.sources, self.presets, strict=True)]
        for source, one in zip(self.sources, found, strict=True):
            if one[0] != found[0][0]:
                raise UserError(
                    f"frames of {source.path} are {one[0]} and those of {self.path} {found[0][0]}; "
                    f"these cannot be used together"
                )
        return found[0]

    def _camera(self, name: str) -> Camera:
        if name not in self.cameras:
            raise unknown_name("camera", name, self.cameras, self.path)
        return self.cameras[name]
