"""`s2robot features --merge` and `--gc`: whole stores, whatever dataset they are of."""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from s2robot.errors import UserError, number_of

# Options of a build, or of a plan of it: whole stores have none of them
OTHERS = ("shard", "machines", "gpus", "address", "devices", "encoder", "sizes", "grid", "cameras", "dtype")


def store_options(form: argparse._MutuallyExclusiveGroup, add: Callable[..., object]) -> None:
    """The options of both."""
    form.add_argument(
        "--merge", nargs="+", type=Path, metavar="FOLDER", help="copy stores into those of --into"
    )
    form.add_argument("--gc", action="store_true", help="say which rows no episode names (see --delete)")
    add("--into", type=_folder, metavar="FOLDER", help="of --merge: the folder of the merged stores")
    add("--delete", action="store_true", help="of --gc: remove these rows")


def _folder(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("it is empty: give a folder")
    return Path(text)


def keep_stores(given: argparse.Namespace) -> None:
    """Merge stores, or remove what no episode names, and print what was done. Raises `UserError`."""
    alone = "--merge and --gc are of whole stores: they take no dataset and no NAME=VALUE"
    if given.data is not None or given.words:
        raise UserError(f"{alone}, not {given.data}")
    if named := [f"--{one}" for one in OTHERS if getattr(given, one) is not None]:
        raise UserError(f"--merge and --gc are of whole stores: leave out {', '.join(named)}")
    check_store_options(given)
    if given.merge:
        _merge(given)
    else:
        _gc(given)


def check_store_options(given: argparse.Namespace) -> None:
    """Raise `UserError` for options of `--merge` or `--gc` without it."""
    if given.into is not None and not given.merge:
        raise UserError(
            f"--into {given.into} is of --merge: add --merge FOLDER, or name a store's with --root"
        )
    if given.delete and not given.gc:
        raise UserError("--delete is of --gc: add --gc")
    if given.merge and given.root is not None:
        raise UserError("--merge reads the folders that it names and writes to --into: leave out --root")


def _merge(given: argparse.Namespace) -> None:
    from s2robot.features.copying import merge_stores

    if given.into is None:
        raise UserError("--merge needs --into FOLDER, the folder of the merged stores")
    merged = merge_stores(given.merge, given.into.expanduser(), not given.json)
    if given.json:
        print(json.dumps({"stores": [asdict(one) | {"folder": str(one.folder)} for one in merged]}))
        return
    for one in merged:
        print(
            f"{one.folder}: {number_of(one.copied, 'row')} copied, {one.found} found, "
            f"{number_of(one.episodes, 'episode')} new"
        )


def _gc(given: argparse.Namespace) -> None:
    from s2robot.features.copying import store_folders
    from s2robot.features.garbage import remove_unnamed
    from s2robot.features.store import FeatureStore, default_root

    root = Path(given.root).expanduser() if given.root else default_root()
    stores = [FeatureStore.like(folder) for folder in store_folders(root)]
    found = [remove_unnamed(store, not given.delete, not given.json) for store in stores]
    if given.json:
        print(json.dumps({"stores": [asdict(one) | {"folder": str(one.folder)} for one in found]}))
        return
    for one in found:
        left = f" ({one.left} written within the last hour are left)" if one.left else ""
        print(f"{one.folder}: {one.unnamed} of {number_of(one.rows, 'row')} are named by no episode{left}")
    freed = f"{sum(one.bytes for one in found) / 2**20:.1f} MiB"
    print(f"{freed} removed" if given.delete else f"{freed} to remove; nothing was changed, --delete does it")
