"""The store with torn, truncated and foreign files, and with several writers."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from s2robot.encoders import make_encoder
from s2robot.errors import UserError
from s2robot.features.hashing import frame_hash
from s2robot.features.manifest import known_episodes
from s2robot.features.segment import RECORD
from s2robot.features.store import FeatureStore
from s2robot.features.writer import Writer
from tests.features.tiny_store import HASHES, ROW_BYTES, SHAPE, MakeStore, append, stored, taken


@pytest.fixture
def filled(make_store: MakeStore, rows: np.ndarray) -> FeatureStore:
    store = make_store()
    append(store, rows, range(4))
    return store


def test_rows_come_back(make_store: MakeStore, filled: FeatureStore, rows: np.ndarray) -> None:
    assert np.array_equal(stored(make_store()), rows[:4])
    writer = Writer(make_store())
    assert writer.stored(HASHES).tolist() == [True] * 4 + [False] * 2
    assert writer.claim(b"a") and not writer.claim(b"a")


def test_a_writer_without_anything_to_write_leaves_nothing(filled: FeatureStore) -> None:
    with Writer(filled) as writer:
        writer.commit()
        writer.remember({})
    assert len(filled.segment_folders()) == 1


def test_writers_at_once_are_read_together_and_equal_rows_once(
    make_store: MakeStore, rows: np.ndarray
) -> None:
    store = make_store()
    with Writer(store) as first, Writer(make_store()) as second:
        first.append(HASHES[:4], rows[:4])
        second.append(HASHES[2:], rows[2:])
        first.commit()
        second.commit()
    snapshot = make_store().snapshot()
    assert len(snapshot) == 8
    found = snapshot.find(HASHES)
    assert len(set(found.tolist())) == 6 and np.array_equal(stored(make_store()), rows)
    assert np.array_equal(snapshot.hashes(found), HASHES)


def test_uncommitted_rows_do_not_count(make_store: MakeStore, filled: FeatureStore, rows: np.ndarray) -> None:
    with Writer(filled) as writer:
        writer.append(HASHES[4:], rows[4:])
    assert len(make_store().snapshot()) == 4


@pytest.mark.parametrize("name", ["rows", "records", "frames", "episodes"])
@pytest.mark.parametrize("size", [0, 1, 15, 47])
def test_a_writer_killed_at_any_byte_leaves_a_valid_segment(
    make_store: MakeStore, filled: FeatureStore, rows: np.ndarray, name: str, size: int
) -> None:
    """What it wrote later than byte `size` of the file is not there; files are written in this order."""
    (folder,) = filled.segment_folders()
    order = ["rows", "records", "frames", "episodes"]
    (folder / "index.bin").unlink()
    for later in order[order.index(name) + 1 :]:
        (folder / f"{later}.bin").unlink()
    with open(folder / f"{name}.bin", "r+b") as file:
        file.truncate(size)
    store = make_store()
    whole = {"rows": 0, "records": size // RECORD.itemsize}.get(name, 4)
    assert np.array_equal(stored(store), rows[:whole])
    known = known_episodes(store.segment_folders(), [b"k" * 15 + b"\0"])
    assert not known
    append(store, rows, range(6))
    assert np.array_equal(stored(make_store()), rows)


def test_missing_rows_are_reported_in_one_line(make_store: MakeStore, filled: FeatureStore) -> None:
    (folder,) = filled.segment_folders()
    with open(folder / "rows.bin", "r+b") as file:
        file.truncate(3 * ROW_BYTES)
    with pytest.raises(
        UserError, match=r"is damaged: .*: 4 rows are listed and 3 are there; delete"
    ) as raised:
        make_store().snapshot()
    assert "\n" not in str(raised.value)


def test_a_damaged_segment_can_be_deleted(
    make_store: MakeStore, filled: FeatureStore, rows: np.ndarray
) -> None:
    second = append(filled, rows, range(4, 6))
    (second.folder / "rows.bin").write_bytes(b"")
    with pytest.raises(UserError, match=f"delete {second.folder}"):
        make_store().snapshot()
    for file in second.folder.iterdir():
        file.unlink()
    assert np.array_equal(stored(make_store()), rows[:4])


def test_changed_bytes_are_found_when_rows_are_read(make_store: MakeStore, filled: FeatureStore) -> None:
    (folder,) = filled.segment_folders()
    with open(folder / "rows.bin", "r+b") as file:
        file.seek(2 * ROW_BYTES + 5)
        file.write(b"\xff")
    store = make_store()
    mapped = store.rows(store.snapshot())
    assert mapped.damaged_rows(np.arange(4)) == [2]
    taken(mapped, np.array([0, 1, 3]))
    with pytest.raises(UserError, match=f"row 2 is not what was stored .* delete {folder} and build"):
        taken(mapped, np.array([1, 2]))


def test_a_row_that_was_read_is_not_checked_again(
    filled: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapped = filled.rows(filled.snapshot())
    taken(mapped, np.array([0, 1]))
    monkeypatch.setattr("s2robot.features.mapped.checksums", lambda _, rows: [-1] * len(rows))
    taken(mapped, np.array([1, 0, 0]))
    with pytest.raises(UserError, match="row 2 is not"):
        taken(mapped, np.array([0, 2]))


def test_changed_settings_are_named(make_store: MakeStore, filled: FeatureStore) -> None:
    settings = filled.folder / "settings.json"
    settings.write_text(settings.read_text().replace("float16", "float32"))
    with pytest.raises(UserError, match=r"made with other settings \(dtype\)"):
        make_store()
    settings.write_text("[]")
    with pytest.raises(UserError, match=r"made with other settings"):
        make_store()
    settings.write_text("{")
    with pytest.raises(UserError, match=r"settings\.json is no JSON"):
        make_store()


def test_a_store_of_the_earlier_format_is_told_apart(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    earlier = tmp_path / "lite0-fb585a6d0cbbd942"  # what the earlier version called the store of `make_store`
    earlier.mkdir()
    spec = make_encoder("lite0", sizes=(32,), backend="torch", device="cpu").spec
    store = FeatureStore(spec, SHAPE, root=tmp_path)
    assert store.folder != earlier and len(store.snapshot()) == 0
    (line,) = caplog.messages
    assert f"{earlier} is of format 1 and is not read: its frames are encoded again; delete it" in line


def test_unknown_dtype_is_refused(make_store: MakeStore) -> None:
    with pytest.raises(UserError, match="float16 or float32, not as 'int8'"):
        make_store(dtype="int8")


@contextmanager
def almost_full_disk() -> Iterator[None]:
    """No file can grow beyond four and a half rows, as on a disk that is almost full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROW_BYTES * 9 // 2, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_full_disk_leaves_what_is_stored(
    make_store: MakeStore, filled: FeatureStore, rows: np.ndarray
) -> None:
    message = "File too large; what is stored so far stays usable"
    with almost_full_disk(), pytest.raises(UserError, match=message), Writer(filled) as writer:
        writer.append(HASHES[:5], rows[:5])
        writer.commit()
    assert np.array_equal(stored(make_store()), rows[:4])


def test_unusable_root_is_reported_in_one_line(make_store: MakeStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = make_store(root=tmp_path / "file")
    with pytest.raises(UserError, match=r"Not a directory \(S2ROBOT_CACHE moves it\)"), store.lock("build"):
        pytest.fail("nothing can be written there")


def test_reading_makes_no_folder(make_store: MakeStore, tmp_path: Path) -> None:
    store = make_store(root=tmp_path / "new")
    assert not store.segments() and len(store.snapshot()) == 0
    assert not (tmp_path / "new").exists()


def test_hash_knows_pixels_and_shape() -> None:
    frame = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    changed = frame.copy()
    changed[3, 5, 2] ^= 1
    assert frame_hash(frame) == frame_hash(np.asfortranarray(frame))
    assert len({frame_hash(frame), frame_hash(changed), frame_hash(frame.reshape(6, 4, 3))}) == 3
