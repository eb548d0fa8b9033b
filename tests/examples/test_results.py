"""Results kept in git: a cell holds what its run said, and every table is what its results say."""

import json
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from s2robot.evaluation.comparison import compare_folders
from s2robot.evaluation.episodes_file import to_line
from s2robot.rollouts.results import EpisodeResult
from s2robot.runs import record
from s2robot.runs.folder import record_stage

ROOT = Path(__file__).parents[2]
Import = Callable[[str], ModuleType]


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Import:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return import_module


def write_run(run_dir: Path, solved: str) -> None:
    """A run as `train` and `eval` leave it; `solved` has a 1 for each start that was solved."""
    folder = run_dir / "eval" / "default"
    folder.mkdir(parents=True)
    (run_dir / "config.yaml").write_text(
        yaml.safe_dump({"run_dir": str(run_dir), "data": {"path": "/home/a/d.hdf5"}})
    )
    (run_dir / "timings.json").write_text(
        json.dumps({name: {"seconds": 2.0, "peak_gib": 1.0} for name in ("features", "train")})
    )
    cameras = {"agentview": {"gflops": 0.5, "feature_bytes": 8}}
    (run_dir / "sizes.json").write_text(json.dumps({"encoder_parameters": 1_500_000, "cameras": cameras}))
    record.begin(run_dir, 0, "cpu", ["data.path=d.hdf5"])
    record.end(run_dir, record.FINISHED, 30)
    results = [EpisodeResult(100 + i, one == "1", 5, 1.0, 0.1) for i, one in enumerate(solved)]
    (folder / "episodes.jsonl").write_text("".join(map(to_line, results)))
    plan = {"env_id": "s2robot/PickSmall-v0", "env_kwargs": {}, "seeds": [one.seed for one in results]}
    (folder / "seeds.json").write_text(json.dumps(plan))
    (folder / "summary.json").write_text(json.dumps({"episodes": len(results)}))


def kept(
    results: ModuleType, folder: Path, encoder: str, seed: int, solved: str, experiment: str = "paper_cube"
) -> Path:
    run_dir = folder / f"run_{encoder}_{seed}"
    write_run(run_dir, solved)
    cell = folder / "results" / experiment / f"pick_small-{encoder}-seed{seed}"
    assert not results.is_kept(cell)
    results.keep(run_dir, "default", cell, {"task": "pick_small", "encoder": encoder, "seed": seed})
    assert results.is_kept(cell)
    return cell


def test_the_tables_in_the_pages_are_what_the_results_say(benchmark: Import) -> None:
    tables = benchmark("tables")
    for page in tables.PAGES:
        text = page.read_text()
        assert tables.rebuilt(text, tables.RESULTS) == text, f"{page}: `make tables`"


def test_a_cell_is_its_run_without_paths_and_host(benchmark: Import, tmp_path: Path) -> None:
    cell = kept(benchmark("results"), tmp_path, "lite0_224", 3, "1100")

    assert sorted(path.name for path in cell.iterdir()) == [
        *("config.yaml", "episodes.jsonl", "seeds.json", "summary.json")
    ]
    summary = json.loads((cell / "summary.json").read_text())
    assert summary["cell"] == {"task": "pick_small", "encoder": "lite0_224", "seed": 3}
    assert (summary["steps"], summary["train_s"], summary["episodes"]) == (30, 2.0, 4)
    written = "".join(path.read_text() for path in cell.iterdir())
    assert "/home" not in written and str(tmp_path) not in written
    assert record.read(tmp_path / "run_lite0_224_3")["starts"][0]["hardware"]["host"] not in written


def test_a_table_is_rebuilt_between_its_markers(benchmark: Import, tmp_path: Path) -> None:
    """Two trainings of two encoders on four starts; figures by hand."""
    results, tables = benchmark("results"), benchmark("tables")
    for encoder, seed, solved in (
        *(("lite0_224", 0, "1000"), ("lite0_224", 1, "0000")),
        *(("lite0_224_448", 0, "1110"), ("lite0_224_448", 1, "1100")),
    ):
        cell = kept(results, tmp_path, encoder, seed, solved)
    page = "before\n<!-- table: paper_cube -->\nold\n<!-- end of table -->\nafter\n"

    rebuilt = tables.rebuilt(page, tmp_path / "results")

    assert rebuilt.startswith("before\n<!-- table: paper_cube -->\n\n| task |") and "old" not in rebuilt
    assert rebuilt.endswith("\n\n<!-- end of table -->\nafter\n")
    base, wider = (line for line in rebuilt.splitlines() if line.startswith("| pick_small"))
    assert "| 1.50 M | 0.50 | 1, 0 of 4 | 12.5%" in base
    assert "| 3, 2 of 4 | 62.5%" in wider and "| lite0_224 | +50.0 [" in wider and "p = 0.12" in wider
    assert tables.rebuilt(rebuilt, tmp_path / "results") == rebuilt
    assert compare_folders(cell, cell).difference == 0  # a cell is an evaluation
    with pytest.raises(KeyError):
        tables.rebuilt(page.replace("paper_cube", "unknown"), tmp_path)


@pytest.mark.parametrize(
    "experiment, words, expected",
    [
        ("paper", "--small", ["pick_small-lite0_224_448-seed0", "pick_small-lite2_256-seed0"]),
        (
            *("precise", "--tasks pick_small thread_nut --seeds 0"),
            [f"{cell}-seed0" for cell in ("pick_small-lite0_224_448", "thread_nut-lite0_224_448")]
            + ["thread_nut-lite0_224-seed0"],
        ),
    ],
)
def test_no_cell_of_an_experiment_is_run_twice(
    experiment: str,
    words: str,
    expected: list[str],
    benchmark: Import,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script, results, common = benchmark(experiment), benchmark("results"), benchmark("common")
    kept(results, tmp_path, "lite0_224", 0, "1100", script.EXPERIMENT)
    trained = []
    for name, found in (("demonstrations", tmp_path), ("evaluated", [])):
        monkeypatch.setattr(common, name, lambda *_, found=found, **__: found)
    monkeypatch.setattr(common, "trained", lambda run_dir, *options: trained.append(run_dir.name))
    monkeypatch.setattr(common, "rate", lambda episodes: "")
    monkeypatch.setattr(results, "keep", lambda *_: None)
    folders = ["--out", str(tmp_path), "--results", str(tmp_path / "results")]
    monkeypatch.setattr("sys.argv", [experiment, *words.split(), *folders])

    script.main()

    assert sorted(trained) == sorted(expected)


def test_a_stopped_training_goes_on_and_a_finished_one_is_left_alone(
    benchmark: Import, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    common = benchmark("common")
    ran: list[str] = []

    def run(*words: str, fails: bool) -> None:
        ran.append(words[-1])
        (tmp_path / "run" / "checkpoints" / "last").mkdir(parents=True, exist_ok=True)
        (tmp_path / "run" / "checkpoints" / "last" / "checkpoint.json").touch()
        if fails:
            raise SystemExit(1)
        record_stage(tmp_path / "run", "train", 7.0)

    monkeypatch.setattr(common, "_run", partial(run, fails=True))
    with pytest.raises(SystemExit):
        common.trained(tmp_path / "run", "seed=0")
    monkeypatch.setattr(common, "_run", partial(run, fails=False))

    assert common.trained(tmp_path / "run", "seed=0") == 7
    assert common.trained(tmp_path / "run", "seed=0") == 7
    assert common.trained(tmp_path / "run", "seed=1") == 7
    assert ran == ["overwrite=true", "resume=true", "overwrite=true"]
