"""Writes ``requirements.lock`` and ``requirements-build.lock``: what the image is made of, with hashes.

``scripts/lock.py`` asks the package index that pip is set up with; what is locked stays unless pyproject.toml
asks for another, or ``--upgrade`` is given. ``--check`` asks nobody: it ends with 1 when pyproject.toml has
changed since, when a dependency is missing or of a version that it does not allow, or has no hash.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
EXTRA = "embedded"
TOOL = "pip-tools==7.6.2"
HOW = (
    *("--quiet", "--generate-hashes", "--strip-extras", "--allow-unsafe", "--no-header"),
    *("--no-emit-index-url", "--no-emit-trusted-host", "--no-emit-find-links"),
)
PINNED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^ ;\\]+)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Lock:
    """One locked file: what is wanted, and how it is asked for."""

    file: str
    wanted: tuple[str, ...]
    options: tuple[str, ...]

    @property
    def head(self) -> str:
        """Its first lines: what it was made of, so that a change is seen without asking anybody."""
        digest = hashlib.sha256(json.dumps(sorted(self.wanted)).encode()).hexdigest()
        return f"# Written by scripts/lock.py (make lock) for Python 3.11.\n# Of: {digest}\n"


def locks() -> tuple[Lock, ...]:
    """Both, by what pyproject.toml says."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    runs = project["project"]
    needed = (*runs["dependencies"], *runs["optional-dependencies"][EXTRA])
    return (
        Lock(file="requirements.lock", wanted=needed, options=(f"--extra={EXTRA}",)),
        Lock(
            file="requirements-build.lock",
            wanted=tuple(project["build-system"]["requires"]),
            options=("--only-build-deps", "--build-deps-for=wheel"),
        ),
    )


def complaints(lock: Lock, text: str) -> Iterator[str]:
    """Why a locked file is not what it should be."""
    if not text.startswith(lock.head):
        yield "pyproject.toml has changed since"
    pins = {canonicalize_name(name): version for name, version in PINNED.findall(text)}
    for each in map(Requirement, lock.wanted):
        if each.marker is not None and not each.marker.evaluate():
            continue
        version = pins.get(canonicalize_name(each.name))
        if version is None:
            yield f"{each.name} is missing"
        elif not each.specifier.contains(version, prereleases=True):
            yield f"{each.name} {version} is not {each.specifier}"
    for entry in re.split(r"\n(?=[A-Za-z0-9])", text):
        if PINNED.match(entry) and "--hash=sha256:" not in entry:
            yield f"{entry.splitlines()[0]} has no hash"
    if "://" in text:
        yield "it names an address; where packages come from is each machine's own"


def write(lock: Lock, tool: Path, more: tuple[str, ...]) -> None:
    """Ask the index."""
    path = ROOT / lock.file
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / lock.file
        if path.exists():
            out.write_text(path.read_text())
        command = [str(tool), *HOW, *lock.options, *more, "--output-file", str(out), "pyproject.toml"]
        subprocess.run(command, cwd=ROOT, check=True)  # noqa: S603  # our own
        path.write_text(lock.head + out.read_text().replace(str(out), lock.file))


def main(arguments: list[str]) -> int:
    """0, or 1 when ``--check`` finds something."""
    if "--check" in arguments:
        found = [
            f"{lock.file}: {text}; run: make lock"
            for lock in locks()
            for text in complaints(lock, (ROOT / lock.file).read_text())
        ]
        sys.stdout.write("".join(f"{line}\n" for line in found))
        return 1 if found else 0
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        subprocess.run([str(python), "-m", "pip", "install", "-q", TOOL], check=True)  # noqa: S603  # our own
        for lock in locks():
            write(lock, python.parent / "pip-compile", tuple(arguments))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
