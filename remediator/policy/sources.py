"""Which files make up a policy, and their text. Bounded, whatever lies in the directory."""

from __future__ import annotations

import os
import stat
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from remediator.policy.findings import Findings, Level, Spot

LARGEST_FILE = 1 << 20
LARGEST_TOTAL = 4 << 20
MOST_FILES = 1_000
READINGS = 5
"""How often files are read that somebody changes meanwhile."""

Source = Path | str | Mapping[str, str | bytes]
"""A directory, one file, or texts by path."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """The text of every policy file by its path, in path order. ``complete``: none is missing."""

    texts: Mapping[str, str]
    complete: bool


TESTS = "_test.yaml"
"""How the names of test files end."""


def read_sources(source: Source, out: Findings, *, tests: bool = False) -> Sources:
    """Read them, or the ``tests`` beside them.

    What cannot be read is in ``out``; bytes that are not UTF-8 are replaced and reported.
    """
    raws, found = _at_one_moment(source, tests=tests)
    for each in found:
        out.add(each.at, each.code, each.message, each.level)
    complete = not out.has_errors
    texts = {path: _decode(path, raw, out) for path, raw in raws.items()}
    if not texts and complete and not tests:
        where = "." if isinstance(source, Mapping) else str(source)
        out.add(
            Spot(path=where), "P001", "there are no policy files here; name them *.yaml (tests: *_test.yaml)"
        )
    return Sources(texts=texts, complete=complete)


def _at_one_moment(source: Source, *, tests: bool) -> tuple[dict[str, bytes], Findings]:
    """All of them as they stand together: between two files, a ConfigMap may be swapped."""
    if isinstance(source, Mapping):
        return _read(source, found := Findings(), tests=tests), found
    root = Path(source)
    for _ in range(READINGS):
        before, found = _look(root, tests=tests), Findings()
        raws = _read(root, found, tests=tests)
        if _look(root, tests=tests) == before:
            return raws, found
    found.add(Spot(path=str(root)), "P001", "the files change while they are read; wait for whoever writes")
    return raws, found


def _read(source: Source, out: Findings, *, tests: bool) -> dict[str, bytes]:
    raws: dict[str, bytes] = {}
    total = 0
    for path, raw in _raw(source, out, tests=tests):
        at = Spot(path=path)
        total += len(raw)
        if len(raw) > LARGEST_FILE:
            out.add(at, "P001", f"the file is larger than {LARGEST_FILE} bytes; split it")
        elif total > LARGEST_TOTAL:
            out.add(
                at,
                "P001",
                f"all files together are larger than {LARGEST_TOTAL} bytes; is this the directory?",
            )
            break
        else:
            raws[path] = raw
    return raws


def look_of(source: Path) -> Hashable:
    """What the policy files look like from outside: another look, and they may say something else.

    Symbolic links are followed, so that a ConfigMap that is swapped looks different.
    """
    return _look(source, tests=False)


def _look(root: Path, *, tests: bool) -> Hashable:
    return tuple((str(path), _stat_of(path)) for path in _paths(root, Findings(), tests=tests))


def size_of(source: Path) -> int:
    """Bytes of all policy files together, as far as they can be looked at."""
    sizes = [_stat_of(path) for path in _paths(source, Findings())]
    return sum(known[2] for known in sizes if known is not None)


def _stat_of(path: Path) -> tuple[int, int, int, int] | None:
    try:
        known = path.stat()
    except OSError:
        return None
    return known.st_dev, known.st_ino, known.st_size, known.st_mtime_ns


def _paths(root: Path, out: Findings, *, tests: bool = False) -> list[Path]:
    is_file = os.path.isfile(root)  # Path.is_file raises where a folder above cannot be entered
    return [root] if is_file else sorted(_walk(root, out, tests=tests))


def _raw(source: Source, out: Findings, *, tests: bool) -> Iterator[tuple[str, bytes]]:
    if isinstance(source, Mapping):
        for path in sorted(source, key=lambda name: name.split("/")):  # as directories are walked
            if path.endswith(".yaml") and path.endswith(TESTS) is tests:
                text = source[path]
                yield path, text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
        return
    root = Path(source)
    paths = _paths(root, out, tests=tests)
    if len(paths) > MOST_FILES:
        out.add(Spot(path=str(root)), "P001", f"more than {MOST_FILES} policy files; is this the directory?")
    for file in paths[:MOST_FILES]:
        try:
            if not stat.S_ISREG(file.stat().st_mode):
                out.add(Spot(path=str(file)), "P001", "not a regular file; remove or rename it")
                continue
            with file.open("rb") as opened:
                yield str(file), opened.read(LARGEST_FILE + 1)
        except OSError as error:
            out.add(Spot(path=str(file)), "P001", f"cannot be read ({error.strerror}); check its permissions")


def _walk(root: Path, out: Findings, *, tests: bool) -> Iterator[Path]:
    """Files under ``root``. Hidden entries are left out: a mounted ConfigMap keeps copies there."""

    def unreadable(error: OSError) -> None:
        out.add(
            Spot(path=str(error.filename)),
            "P001",
            f"cannot be read ({error.strerror}); check its permissions",
        )

    for folder, folders, files in os.walk(root, onerror=unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in folders:
            path = Path(folder) / name
            if path.is_symlink() and not tests:
                text = "links to directories are not followed, so nothing in it is read; move it here"
                out.add(Spot(path=str(path)), "P001", text, level=Level.WARNING)
        for name in files:
            path = Path(folder) / name
            if name.startswith(".") or name.endswith(TESTS) is not tests:
                continue
            if name.endswith(".yaml"):
                yield path
            elif name.endswith(".yml"):
                out.add(
                    Spot(path=str(path)),
                    "P001",
                    "only *.yaml files are read; rename it",
                    level=Level.WARNING,
                )


def _decode(path: str, raw: bytes, out: Findings) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", "replace")
        line = before.count("\n")
        at = Spot(path=path, line=line + 1, column=len(before) - (before.rfind("\n") + 1) + 1)
        out.add(at, "P001", f"byte {raw[error.start]:#04x} is not UTF-8 here; save the file as UTF-8")
        return raw.decode("utf-8-sig", "replace")
