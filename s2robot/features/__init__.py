"""Features of every frame, computed once, kept on disk, gathered in training."""

from s2robot.features.builder import BuildReport, build, build_with_report
from s2robot.features.check import sample, verify
from s2robot.features.plan import Plan, make_plan
from s2robot.features.store import FeatureStore
from s2robot.features.table import FeatureTable
from s2robot.features.tiers import place
from s2robot.features.views import Views

__all__ = [
    "BuildReport",
    "FeatureStore",
    "FeatureTable",
    "Plan",
    "Views",
    "build",
    "build_with_report",
    "make_plan",
    "place",
    "sample",
    "verify",
]
