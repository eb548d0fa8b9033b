"""The key mapping: which arrays are cameras, proprioception and actions, and what they are called."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from s2robot.datasets.presets import ROBOSUITE, Preset
from s2robot.datasets.source import Recorded, Source
from s2robot.errors import UserError, unknown_name

CAMERA_PREFIX, CAMERA_SUFFIXES = "observation.images.", ("_image", "_rgb")
NO_COLOURS = re.compile(r"(^|[_./])(depth|segmentation|seg|mask)(_(image|rgb|instance|class|element))?$")
# State of the simulator, which no robot observes: short names, and the group where MimicGen keeps more of it
PRIVILEGED = {"object", "object-state", "states", "observation.object", "observation.environment_state"}
PRIVILEGED_GROUP = "datagen_info/"
ACTIONS = ("action", "extras/action")  # how keys of actions begin, outside of the observations
NO_OBSERVATIONS = (*ACTIONS, "next.", "extras/")
ARM, OTHER_ARM = "robot0_", "robot1_"  # robosuite's prefixes: with two arms both are read
USUAL_PROPRIO = (ROBOSUITE, ("observation.state",), ("qpos",))

Chosen = Mapping[str, str] | Sequence[str] | None  # as options give it: {name: key}, [key, ...], key, null


@dataclass(frozen=True)
class Keys:
    """The arrays of a dataset as its episodes have them, by the format's own keys."""

    source: Source
    preset: Preset | None
    arrays: Mapping[str, Recorded]  # of all episodes; where they differ, as most have them

    def cameras(self, chosen: Chosen) -> dict[str, str]:
        """Key of each camera by its name. Raises `UserError` for an unknown one and when there is none."""
        if isinstance(chosen, Mapping):
            named = {name: self._camera(word) for name, word in chosen.items()}
            _each_once("cameras", list(named.values()))
            return named
        if chosen is not None:
            keys = [self._camera(word) for word in chosen]
        else:
            keys = [key for key, one in self._observations().items() if one.kind == "frames"]
            keys = [key for key in keys if not NO_COLOURS.search(key)]  # by name; chosen they are taken
        if chosen is None and not keys:
            seen = [
                f"{name} ({self.arrays[key].note or 'by its name no colours'})"
                for name, key in self._image_like().items()
            ]
            raise UserError(
                f"{self.source.path} has no camera: no array of colour frames, uint8 (t, h, w, 3), under "
                f"{self.source.observations!r}; image-like: {'; '.join(seen) or 'none'}; "
                f"data.cameras=[] trains without"
            )
        _each_once("cameras", keys)
        names = [self.camera_name(key) for key in keys]
        _no_clash(self.source, names, keys, "camera")
        return (
            dict(sorted(zip(names, keys, strict=True)))
            if chosen is None
            else dict(zip(names, keys, strict=True))
        )

    def proprio(self, chosen: Chosen, actions: Collection[str] = ()) -> dict[str, str]:
        """Key of each part of the proprioception by its name.

        Privileged state and actions, also those at the keys `actions`, are refused.
        """
        if chosen is None:
            chosen = self._usual_proprio()
        named = dict(chosen) if isinstance(chosen, Mapping) else {}
        words = list(named.values()) if named else list(chosen)
        keys = []
        for word in words:
            key = self.resolve(word) or word
            if self.short(key) in PRIVILEGED or key.startswith(PRIVILEGED_GROUP):
                raise UserError(f"{word} is privileged state of the simulator, no input of a policy")
            if key in actions or (key.startswith(ACTIONS) and key in self.arrays):
                raise UserError(
                    f"data.proprio: {key} holds actions, which the policy predicts: they are no input of it; "
                    f"choose other keys with data.proprio=[KEY,...]"
                )
            keys.append(self._numbers_at("proprio", word))
        _each_once("proprio", keys)
        names = list(named) or [self._name(word, key) for word, key in zip(words, keys, strict=True)]
        _no_clash(self.source, names, keys, "proprioception")
        return dict(zip(names, keys, strict=True))

    def actions(self, chosen: Chosen) -> dict[str, str]:
        """Key of each part of the actions by its name, in order."""
        if chosen is None:
            usual = (
                [self.source.actions] if self.source.actions else self.preset.actions if self.preset else ()
            )
            if not usual:
                numbers = [key for key, one in self.arrays.items() if one.kind == "numbers"]
                raise UserError(
                    f"{self.source.path} does not say which array its actions are; "
                    f"choose with data.actions=[KEY] from {', '.join(sorted(numbers))}"
                )
            return {key: key for key in usual}
        named = chosen.items() if isinstance(chosen, Mapping) else [(word, word) for word in chosen]
        if not named:
            raise UserError("data.actions=[]: a policy needs actions")
        keys = [self._numbers_at("actions", word) for _, word in named]
        _each_once("actions", keys)
        return {name: key for (name, _), key in zip(named, keys, strict=True)}

    def low_dim(self) -> dict[str, Recorded]:
        """Numeric observations by their short names."""
        found = self._observations().items()
        return {self.short(key): one for key, one in found if one.kind == "numbers"}

    def short(self, key: str) -> str:
        """How an observation is called: its key without the group of the observations."""
        prefix = self.source.observations
        return key.removeprefix(prefix) if prefix.endswith("/") else key

    def camera_name(self, key: str) -> str:
        """The name of a camera: `obs/agentview_image` -> `agentview`, `observation.images.top` -> `top`."""
        name = self.short(key).removeprefix(CAMERA_PREFIX)
        name = name.removeprefix(self.preset.camera_prefix) if self.preset else name
        for suffix in CAMERA_SUFFIXES:
            if name.endswith(suffix) and name != suffix:
                return name.removesuffix(suffix)
        return name

    def resolve(self, word: str) -> str | None:
        """The key that a word means: the key itself or its end; None if there is none."""
        prefix = self.source.observations
        return next((key for key in (word, prefix + word) if key in self.arrays), None)

    def _name(self, word: str, key: str) -> str:
        """Proprioception is called as an environment calls it where that was asked for: `robot0_eef_pos`."""
        return word if key == self.source.observations + word else self.short(key)

    def _camera(self, word: str) -> str:
        """Key of a camera by its name or key; of any array, so that checks can say what is wrong with it."""
        named = [key for key in self._image_like().values() if self.camera_name(key) == word]
        ends = [key for key in self._image_like().values() if self.camera_name(key).endswith("/" + word)]
        found = next((keys[0] for keys in (named, ends) if len(keys) == 1), None) or self.resolve(word)
        if len(named) > 1:
            raise UserError(
                f"camera {word!r} of {self.source.path} may be {' or '.join(named)}: give the key"
            )
        if found is None:
            raise unknown_name("camera", word, map(self.camera_name, self._frames()), self.source.path)
        return found

    def number_key(self, word: str) -> str:
        """Key of an array by it or by its short name. Raises `UserError` with the nearest ones."""
        if (key := self.resolve(word)) is not None:
            return key
        numbers = [key for key, one in self.arrays.items() if one.kind == "numbers"]
        raise unknown_name("array of numbers", word, map(self.short, numbers), self.source.path)

    def _numbers_at(self, option: str, word: str) -> str:
        """The same for an option, and no camera."""
        key = self.number_key(word)
        if self.arrays[key].kind == "frames":
            raise UserError(
                f"data.{option}: {key} holds a camera's frames, expected numbers; "
                f"data.cameras=[{self.camera_name(key)}] uses it"
            )
        return key

    def _usual_proprio(self) -> Sequence[str]:
        family = (self.preset.proprio,) if self.preset and self.preset.proprio else ()
        for usual in (*family, *USUAL_PROPRIO):
            if all(self.resolve(word) for word in usual):
                other_arm = (word.replace(ARM, OTHER_ARM, 1) for word in usual if word.startswith(ARM))
                return [*usual, *filter(self.resolve, other_arm)]
        raise UserError(
            f"{self.source.path} has no usual proprioception (robosuite's robot0_eef_pos, ..., "
            f"observation.state or qpos); choose with data.proprio=[KEY,...] from "
            f"{', '.join(self._proprio_choices()) or 'nothing'}, or data.proprio=[] for none"
        )

    def _proprio_choices(self) -> list[str]:
        """Numeric observations; where there are none, numbers elsewhere that are no actions and no extras."""
        elsewhere = [
            key
            for key, one in self.arrays.items()
            if one.kind == "numbers" and not key.startswith(NO_OBSERVATIONS)
        ]
        return sorted(self.low_dim() or elsewhere)

    def _observations(self) -> dict[str, Recorded]:
        """Arrays under the observations; in a format without groups frames are, whatever their key.

        Where no prefix tells them apart, all arrays are but actions, outcomes and extras.
        """
        prefix = self.source.observations
        grouped = prefix.endswith("/")
        return {
            key: one
            for key, one in self.arrays.items()
            if (key.startswith(prefix) and (prefix or not key.startswith(NO_OBSERVATIONS)))
            or (one.kind == "frames" and not grouped)
        }

    def _frames(self) -> list[str]:
        return [key for key, one in self.arrays.items() if one.kind == "frames"]

    def _image_like(self) -> dict[str, str]:
        """Key of each image-like array by its short name."""
        return {self.short(key): key for key, one in self.arrays.items() if one.image_like}


def _each_once(option: str, keys: Sequence[str]) -> None:
    """Raise `UserError` when an option names one array twice, maybe by different words."""
    for key, count in Counter(keys).items():
        if count > 1:
            raise UserError(f"data.{option} names {key} {count} times; name each array once")


def _no_clash(source: Source, names: Sequence[str], keys: Sequence[str], what: str) -> None:
    """Raise `UserError` when two arrays would have one name."""
    for name, count in Counter(names).items():
        if count > 1:
            clashing = [key for other, key in zip(names, keys, strict=True) if other == name]
            raise UserError(
                f"{source.path}: {what} {name!r} may be {' or '.join(clashing)}; "
                f"name them with data.{'cameras' if what == 'camera' else 'proprio'}={{name: key}}"
            )
