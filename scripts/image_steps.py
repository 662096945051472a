"""Does what the Dockerfile says, without an engine: its own lines, in a folder instead of an image.

Of the stage ``build`` every COPY and every RUN is performed, with the Python of this machine, and with the
paths of the image led into the folder. Of the last stage what it copies and sets is performed; its RUN makes
a user and a folder, which a machine of somebody's must be spared. Then the program says its version.

    scripts/image_steps.py FOLDER      leaves the image's files in FOLDER, to be looked at and run
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parent.parent
OWN = ("/opt", "/build", "/etc/remediator", "/var/lib/remediator")
"""Where the image's files are that are ours."""
_PATH = re.compile(rf"(?<![\w/.-])({'|'.join(OWN)})(?=[/\s\"']|$)")


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """One of a Dockerfile: its word, and all that follows, on one line."""

    word: str
    rest: str


@dataclass(kw_only=True)
class Stage:
    """From one FROM to the next."""

    name: str
    base: str
    instructions: list[Instruction] = field(default_factory=list)

    def last(self, word: str) -> str:
        """What the last of these says: that is what counts. Raises LookupError."""
        return [each.rest for each in self.instructions if each.word == word][-1]

    def environment(self) -> dict[str, str]:
        """Of all ENV, as written."""
        texts = [each.rest for each in self.instructions if each.word == "ENV"]
        return dict(pair.split("=", 1) for text in texts for pair in shlex.split(text))


def stages(text: str) -> tuple[dict[str, str], list[Stage]]:
    """The ARGs before the first FROM, and the stages."""
    arguments: dict[str, str] = {}
    found: list[Stage] = []
    for each in _instructions(text):
        if each.word == "FROM":
            base, _, name = each.rest.partition(" AS ")
            found.append(Stage(name=name, base=base))
        elif found:
            found[-1].instructions.append(each)
        elif each.word == "ARG":
            name, _, value = each.rest.partition("=")
            arguments[name] = value
    return arguments, found


def _instructions(text: str) -> Iterator[Instruction]:
    lines = (line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#"))
    for line in re.split(r"(?<!\\)\n", "\n".join(lines)):
        word, _, rest = re.sub(r"\s*\\\n\s*", " ", line).partition(" ")
        yield Instruction(word=word, rest=rest.strip())


def let_through(path: str) -> bool:
    """Whether ``.dockerignore`` lets the engine have it. The last pattern that fits decides."""
    through = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        pattern = line.removeprefix("!").removeprefix("**/")
        parts = path.split("/") if "/" not in pattern else [path]
        if any(fnmatch(part, pattern) for part in parts) or f"{path}/".startswith(f"{pattern}/"):
            through = line.startswith("!")
    return through


def copy(rest: str, folder: Path, here: Path) -> None:
    """A COPY from the checkout. Raises LookupError for what is not there, or not let through."""
    *sources, target = rest.split()
    into = moved(target, folder) if target.startswith("/") else here / target
    for source in sources:
        if not let_through(source) or not (ROOT / source).exists():
            raise LookupError(f"COPY {source}: it is not there, or .dockerignore keeps it back")
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, into, ignore=_kept_back, dirs_exist_ok=True)
        else:
            into.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / source, into)


def _kept_back(at: str, names: list[str]) -> list[str]:
    return [name for name in names if not let_through(str(Path(at, name).relative_to(ROOT)))]


def moved(text: str, folder: Path) -> Path:
    """A path of the image, where it is in the folder."""
    return folder / text.lstrip("/")


def led(command: str, folder: Path) -> str:
    """A command with the paths of the image led into the folder."""
    return _PATH.sub(lambda found: f"{folder}{found[1]}", command)


def run(command: str, folder: Path, here: Path, environment: Mapping[str, str]) -> None:
    """A RUN. Raises CalledProcessError."""
    sys.stdout.write(f"RUN {command}\n")
    sys.stdout.flush()
    subprocess.run(["/bin/sh", "-euc", led(command, folder)], cwd=here, env=environment, check=True)  # noqa: S603


def build(folder: Path) -> Stage:
    """The image's files in ``folder``; the last stage, which says how they are run."""
    _, (building, final) = stages((ROOT / "Dockerfile").read_text())
    environment = {**os.environ, **building.environment()}
    environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    here = moved(building.last("WORKDIR"), folder)
    here.mkdir(parents=True)
    for each in building.instructions:
        if each.word == "COPY":
            copy(each.rest, folder, here)
        elif each.word == "RUN":
            run(each.rest, folder, here, environment)
    for each in final.instructions:
        if each.word == "COPY" and not each.rest.startswith("--from="):
            copy(each.rest, folder, folder)
    moved(final.last("WORKDIR"), folder).mkdir(parents=True, exist_ok=True)
    return final


def settings(final: Stage, folder: Path) -> dict[str, str]:
    """The variables that the image sets, for its files in ``folder``; of this machine's none."""
    found = {name: led(value, folder) for name, value in final.environment().items()}
    found["PATH"] = found["PATH"].replace("$PATH", "/usr/bin:/bin")
    return {**found, "HOME": str(moved(final.last("WORKDIR"), folder))}


def main(arguments: list[str]) -> int:
    """0 when every step did what it says."""
    if len(arguments) != 1:
        sys.stderr.write("usage: scripts/image_steps.py FOLDER\n")
        return 2
    folder = Path(arguments[0]).absolute()
    final = build(folder)
    command = [*json.loads(final.last("ENTRYPOINT")), "--version"]
    environment = settings(final, folder)
    program = shutil.which(command[0], path=environment["PATH"])
    assert program is not None, f"{command[0]} is not on the image's PATH"
    subprocess.run([program, *command[1:]], env=environment, check=True)  # noqa: S603
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
