"""All that is wrong with a dataset, not only the first fault: the checks of training, and stricter ones."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from s2robot.datasets import checks
from s2robot.datasets.dataset import Dataset
from s2robot.datasets.options import DataConfig
from s2robot.datasets.problem import Problem
from s2robot.datasets.stepwise import uneven
from s2robot.datasets.tools import quality
from s2robot.datasets.tools.frames import check_frames
from s2robot.datasets.tools.leniently import open_leniently, structural_errors, unclear_cameras, without
from s2robot.datasets.tools.oddities import oddities
from s2robot.errors import UserError


@dataclass
class Findings:
    """What was found. `healthy` is the dataset without the episodes at fault, None when none is left."""

    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # checks that could not be made, and why
    healthy: Dataset | None = None

    def add(self, errors: list[Problem], warnings: list[Problem]) -> None:
        self.errors += errors
        self.warnings += warnings


def validate(config: DataConfig, pixels: bool = False, shown: bool = True) -> Findings:
    """Check a dataset; with `pixels` every frame too, which decodes all of them.

    An episode at fault is left out of the checks that rely on what is wrong with it. Raises `UserError` for
    what is no dataset at all.
    """
    dataset, unusual = open_leniently(config)
    unclear = unclear_cameras(dataset, config)
    unclear += [problem for problem in unusual if problem not in unclear]  # which training refuses, too
    findings = Findings(unclear + structural_errors(dataset), list(dataset.warnings))
    findings.warnings += checks.structure(dataset)[1] + checks.masks(dataset)[1]
    findings.warnings += [problem for problems in uneven(dataset).values() for problem in problems]
    healthy = without(dataset, findings.errors)
    faulty = {(problem.file, problem.episode) for problem in findings.errors}
    findings.errors += quality.bad_numbers(dataset, faulty)
    findings.errors += quality.unreadable(dataset)
    if not pixels:
        known = [len(source.warnings) for source in dataset.sources]
        findings.errors += quality.ends_of_videos(dataset, shown)
        findings.warnings += _said_since(known, dataset)  # of videos that are longer than their episodes
    if healthy is not None:
        healthy = _numbers(healthy, findings)
    if healthy is not None:
        _quality(healthy, findings)
    if healthy is not None and pixels:
        known = [len(source.warnings) for source in healthy.sources]
        findings.add(*check_frames(healthy, shown))
        findings.warnings += _said_since(known, healthy)  # of time stamps, found while decoding
    findings.healthy = healthy
    return findings


def _said_since(known: Sequence[int], dataset: Dataset) -> list[Problem]:
    """What sources found since each had so many warnings."""
    found = zip(dataset.sources, known, strict=True)
    return [problem for source, count in found for problem in source.warnings[count:]]


def _numbers(dataset: Dataset, findings: Findings) -> Dataset | None:
    """The checks of training that read numbers; the dataset without the episodes whose numbers are wrong."""
    for check in checks.OF_NUMBERS:
        try:
            errors, warnings = check(dataset)
        except UserError:  # the first that cannot be read; which are there is found one by one
            errors, warnings = list(quality.bad_numbers(dataset)), []
            if not errors:
                raise
        rest = without(dataset, errors) if errors else dataset
        if errors and rest is not None:  # what these episodes hid
            more, warnings = check(rest)
            errors += more
        findings.add(errors, warnings)
        if rest is None:
            return None
        dataset = rest
    return dataset


def _quality(dataset: Dataset, findings: Findings) -> None:
    findings.warnings += quality.actions(dataset)
    findings.warnings += quality.duplicates(dataset)
    findings.warnings += oddities(dataset)
    for is_error, problem in quality.time_stamps(dataset):
        (findings.errors if is_error else findings.warnings).append(problem)


def as_data(findings: Findings) -> dict[str, list]:
    """What `s2robot validate --json` prints."""
    return {
        "errors": [_plain(problem) for problem in findings.errors],
        "warnings": [_plain(problem) for problem in findings.warnings],
        "notes": findings.notes,
    }


def _plain(problem: Problem) -> dict[str, str]:
    return {name: getattr(problem, name) for name in ("file", "episode", "key", "problem")}


def table(findings: Findings) -> list[str]:
    """All problems as one table, errors first; no column for what is the same in all."""
    rows = [["error", *_plain(problem).values()] for problem in findings.errors]
    rows += [["warning", *_plain(problem).values()] for problem in findings.warnings]
    if not rows:
        return []
    head = ["", "file", "episode", "key", "problem"]
    one_file = rows[0][1] if len({row[1] for row in rows}) == 1 else ""
    cells = [[cell for i, cell in enumerate(row) if i != 1 or not one_file] for row in [head, *rows]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    padded = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells]
    return [*([one_file] if one_file else []), *(line.rstrip() for line in padded)]
