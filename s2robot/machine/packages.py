"""Python packages: those that are needed are there, in versions that suit one another."""

import importlib.metadata
import importlib.util
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError

from packaging.requirements import InvalidRequirement, Requirement

from s2robot.machine.finding import Finding

OWN = "s2robot"
SHOWN = ("torch", "torchvision", "timm", "mujoco", "gymnasium", "diffusers", "h5py", "numpy")
NEEDS_NO_REQUIREMENTS = "robomimic"  # one of its requirements needs a compiler and is not used
OLDEST = (3, 11)


def findings() -> list[Finding]:
    return [_python(), *_versions(), _robomimic(), *_clashes(), _openvino(), _robosuite()]


def needed() -> bool:
    """Whether the packages are there that the other checks import."""
    return all(importlib.util.find_spec(name) for name in ("torch", "numpy", "gymnasium", "mujoco"))


def _python() -> Finding:
    found = f"{platform.python_version()} at {sys.executable}"
    old = sys.version_info < OLDEST
    return Finding("python", found, "install Python 3.11 or later" if old else "", ok=not old)


def _versions() -> Iterator[Finding]:
    for name in SHOWN:
        try:
            yield Finding("package", f"{name} {importlib.metadata.version(name)}")
        except PackageNotFoundError:
            yield Finding("package", f"{name} is missing", f"pip install {name}", ok=False)


def _robomimic() -> Finding:
    name, how = NEEDS_NO_REQUIREMENTS, "pip install --no-deps robomimic==0.3.0"
    try:
        return Finding("package", f"{name} {importlib.metadata.version(name)}")
    except PackageNotFoundError:
        return Finding("package", f"{name} is missing, whose networks the bc policies use", how, ok=False)


def _clashes() -> list[Finding]:
    """Requirements, of this project and of what it requires, that the installed versions do not meet."""
    found, seen, waiting = [], set(), [OWN]
    while waiting:
        name = waiting.pop()
        if name in seen or name == NEEDS_NO_REQUIREMENTS:
            continue
        seen.add(name)
        for requirement in _requirements(name):
            try:
                version = importlib.metadata.version(requirement.name)
            except PackageNotFoundError:
                if requirement.name not in SHOWN:  # those have lines of their own
                    told = f"{name} needs {requirement}, which is missing"
                    found.append(Finding("package", told, f"pip install '{requirement}'", ok=False))
                continue
            if not requirement.specifier.contains(version, prereleases=True):
                told = f"{name} needs {requirement}, and {version} is installed"
                found.append(Finding("versions", told, f"pip install '{requirement}'", ok=False))
            waiting.append(requirement.name)
    return found


def _requirements(name: str) -> Iterator[Requirement]:
    """What an installed distribution requires here, without its extras."""
    try:
        texts = Distribution.from_name(name).requires or []
    except PackageNotFoundError:
        return  # a checkout that is run from its folder and not installed
    for text in texts:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue  # an old distribution's way of writing; pip does not read it either
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield requirement


def _openvino() -> Finding:
    if importlib.util.find_spec("openvino") is None:
        return Finding("OpenVINO", "none: encoding on a CPU takes twice the time", "pip install openvino")
    return Finding("OpenVINO", importlib.metadata.version("openvino"))


def _robosuite() -> Finding:
    if importlib.util.find_spec("robosuite") is None:
        return Finding("robosuite", "none: only its own tasks need it", "pip install 's2robot[robosuite]'")
    return Finding("robosuite", importlib.metadata.version("robosuite"))
