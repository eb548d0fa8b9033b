"""The store with torn, truncated and foreign files."""

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from s2robot.encoders import make_encoder
from s2robot.errors import UserError
from s2robot.features.store import FeatureStore, frame_hash

SHAPE = (112, 2, 2)
ROW_BYTES = 112 * 2 * 2 * 2
HASHES = [bytes([i]) * 16 for i in range(6)]
MakeStore = Callable[..., FeatureStore]


@pytest.fixture
def features() -> torch.Tensor:
    """Rows of six frames."""
    return torch.randn(6, ROW_BYTES // 2, generator=torch.Generator().manual_seed(0)).half()


@pytest.fixture
def make_store(tmp_path: Path) -> MakeStore:
    spec = make_encoder("lite0", sizes=(32,), backend="torch", device="cpu").spec
    return lambda **options: FeatureStore(spec, SHAPE, **{"root": tmp_path} | options)


@pytest.fixture
def filled(make_store: MakeStore, features: torch.Tensor) -> FeatureStore:
    store = make_store()
    with store.writer() as writer:
        writer.append(HASHES[:4], features[:4])
        writer.commit()
    return store


def test_rows_come_back(make_store: MakeStore, filled: FeatureStore, features: torch.Tensor) -> None:
    store = make_store()
    assert torch.equal(store.rows().data, features[:4])
    with store.writer() as writer:
        assert [writer.find(h) for h in HASHES] == [0, 1, 2, 3, None, None]


def test_uncommitted_rows_do_not_count(
    make_store: MakeStore, filled: FeatureStore, features: torch.Tensor
) -> None:
    with filled.writer() as writer:
        writer.append(HASHES[4:], features[4:])
    assert len(make_store()) == 4


@pytest.mark.parametrize("torn", [("rows.bin", 100), ("index.bin", 7)])
def test_torn_tail_is_ignored_and_cut(
    make_store: MakeStore, filled: FeatureStore, features: torch.Tensor, torn: tuple[str, int]
) -> None:
    name, extra = torn
    with open(filled.folder / name, "ab") as file:
        file.write(b"x" * extra)
    assert torch.equal(filled.rows().data, features[:4])
    with filled.writer() as writer:
        writer.append(HASHES[4:], features[4:])
        writer.commit()
    assert torch.equal(make_store().rows().data, features)
    assert make_store().damaged_rows() == []


def test_missing_rows_are_reported_in_one_line(make_store: MakeStore, filled: FeatureStore) -> None:
    with open(filled.folder / "rows.bin", "r+b") as file:
        file.truncate(3 * ROW_BYTES)
    with pytest.raises(UserError, match="is damaged: 4 rows are listed and 3 are there; delete") as raised:
        make_store().rows()
    assert "\n" not in str(raised.value)
    with pytest.raises(UserError, match="is damaged"), make_store().writer():
        pass


def test_changed_bytes_are_found_by_their_checksum(make_store: MakeStore, filled: FeatureStore) -> None:
    with open(filled.folder / "rows.bin", "r+b") as file:
        file.seek(2 * ROW_BYTES + 5)
        file.write(b"\xff")
    assert make_store().damaged_rows() == [2]


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
    make_store: MakeStore, filled: FeatureStore, features: torch.Tensor
) -> None:
    message = "File too large; the 4 rows stored so far stay usable"
    with almost_full_disk(), pytest.raises(UserError, match=message), filled.writer() as writer:
        writer.append(HASHES[4:], features[4:])
        writer.commit()
    assert torch.equal(make_store().rows().data, features[:4])


def test_unusable_root_is_reported_in_one_line(make_store: MakeStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"Not a directory \(S2ROBOT_CACHE moves it\)"):
        make_store(root=tmp_path / "file")


def test_hash_knows_pixels_and_shape() -> None:
    frame = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    changed = frame.copy()
    changed[3, 5, 2] ^= 1
    assert frame_hash(frame) == frame_hash(np.asfortranarray(frame))
    assert len({frame_hash(frame), frame_hash(changed), frame_hash(frame.reshape(6, 4, 3))}) == 3
