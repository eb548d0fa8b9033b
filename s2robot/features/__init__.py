"""Features of every frame, computed once, kept on disk, gathered in training."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from s2robot.features.options import FeaturesConfig

if TYPE_CHECKING:
    from s2robot.features.builder import BuildReport, build, build_with_report
    from s2robot.features.camera_store import CameraStore
    from s2robot.features.check import check_samples, sample, verify
    from s2robot.features.plan import Plan, make_plan
    from s2robot.features.source import FrameSource
    from s2robot.features.store import FeatureStore
    from s2robot.features.table import FeatureTable
    from s2robot.features.tiers import place
    from s2robot.features.views import Views

# Imported when it is first used: whoever needs the options alone must not wait for PyTorch.
_MODULES = {
    "BuildReport": "builder",
    "CameraStore": "camera_store",
    "FeatureStore": "store",
    "FeatureTable": "table",
    "FrameSource": "source",
    "Plan": "plan",
    "Views": "views",
    "build": "builder",
    "build_with_report": "builder",
    "check_samples": "check",
    "make_plan": "plan",
    "place": "tiers",
    "sample": "check",
    "verify": "check",
}

__all__ = [
    "BuildReport",
    "CameraStore",
    "FeatureStore",
    "FeatureTable",
    "FeaturesConfig",
    "FrameSource",
    "Plan",
    "Views",
    "build",
    "build_with_report",
    "check_samples",
    "make_plan",
    "place",
    "sample",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
