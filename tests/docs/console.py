"""Pages that are executed: their files are written, their commands run, their output compared.

A page opts in with a line of its own, and is then played top to bottom in one empty directory::

    <!-- console: tested -->
    <!-- console: tested, with policies docs/examples -->     copies of these from the repository stand there

Blocks of such a page, by what stands behind the fence:

* ``yaml file=policies/rules.yaml`` (any language): the file is written. The paragraph before must name the
  path in backticks, because readers do not see what stands behind a fence.
* ``diff file=policies/rules.yaml``: a change of it. Lines of context (a space) and lines that go (a minus)
  must stand there exactly once; a marker line ``@@`` begins another place.
* ``console``: ``$ command``, then what it prints, both streams together. A command goes on in the next line
  when its line ends with a backslash. It must end with 0; ``console exit=1`` says what the last command of a
  block ends with. Every command runs in a bash of its own, in the same directory; ``$?`` is that of the one
  before. A line ``...`` stands for any number of lines, none included.

Everything else is prose. What differs from run to run is named by the page, never guessed::

    <!-- volatile: digest [0-9a-f]{16} -->

Every match of the expression, in the page and in the output, counts as equal.

``python -m tests.docs.console docs/tutorial.md`` plays a page and writes the output that differs into it.
"""

from __future__ import annotations

import difflib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[2]
PATIENCE = 120
"""Seconds that one command may take."""

_OPT_IN = re.compile(r"^<!-- console: tested(?:, with (?P<copies>[^>\n]+?))? -->$", re.MULTILINE)
_VOLATILE = re.compile(r"^<!-- volatile: (.+?) -->$", re.MULTILINE)
_FENCE = re.compile(r"^(?P<fence>`{3,})(?P<info>[^\n]*)\n(?P<body>.*?)^(?P=fence)$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(
    r"^\$ (?P<command>(?:[^\n]*\\\n)*[^\n]*)\n(?P<output>(?:(?!\$ )[^\n]*\n)*)", re.MULTILINE
)
_ANY = "..."


class PageError(Exception):
    """The page itself is wrong: it cannot be played."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """A file that the page shows. ``change``: the block is a difference to what stands there."""

    path: str
    text: str
    line: int
    change: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """One command and what the page says of it. ``span``: where its output stands in the page's text."""

    text: str
    output: str
    line: int
    code: int
    span: tuple[int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """A page that is executed. ``copies``: what of the repository stands in its directory."""

    path: Path
    text: str
    parts: tuple[Written | Command, ...]
    copies: tuple[str, ...]
    volatile: tuple[re.Pattern[str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Played:
    """A command of a page and what came of it."""

    command: Command
    output: str
    code: int


def read_page(path: Path) -> Page | None:
    """The page, or None when it does not opt in. Raises PageError."""
    text = path.read_text()
    opted = _OPT_IN.search(text)
    if opted is None:
        return None
    return Page(
        path=path,
        text=text,
        parts=tuple(_parts(path, text)),
        copies=tuple((opted["copies"] or "").split()),
        volatile=tuple(re.compile(each) for each in _VOLATILE.findall(text)),
    )


def pages() -> list[Page]:
    """Every page of the documentation that opts in."""
    read = (read_page(path) for path in sorted((*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"))))
    return [page for page in read if page is not None]


def _parts(path: Path, text: str) -> Iterator[Written | Command]:
    for block in _FENCE.finditer(text):
        language, *words = block["info"].split() or [""]
        said = dict(word.partition("=")[::2] for word in words)
        line = text.count("\n", 0, block.start()) + 1
        if "file" in said:
            target = PurePosixPath(said["file"])
            if target.is_absolute() or ".." in target.parts:
                raise PageError(f"{path}:{line}: {target} leaves the directory; write a path within it")
            if f"`{target}`" not in text[: block.start()].rstrip().rpartition("\n\n")[2]:
                raise PageError(f"{path}:{line}: name `{target}` in the paragraph before its block")
            yield Written(path=str(target), text=block["body"], line=line, change=language == "diff")
        elif language == "console":
            yield from _commands(path, text, block, int(said.get("exit", 0)))


def _commands(path: Path, text: str, block: re.Match[str], code: int) -> Iterator[Command]:
    begin, end = block.span("body")
    found = list(_COMMAND.finditer(text, begin, end))
    line = text.count("\n", 0, begin) + 1
    if not found or found[0].start() != begin:
        raise PageError(f"{path}:{line}: a console block begins with a command: $ remediator …")
    for number, one in enumerate(found, 1):
        yield Command(
            text=one["command"],
            output=one["output"],
            line=text.count("\n", 0, one.start()) + 1,
            code=code if number == len(found) else 0,
            span=one.span("output"),
        )


def play(page: Page, folder: Path) -> Iterator[Played]:
    """Write the page's files and run its commands in ``folder``, one after the other. Raises PageError."""
    for name in page.copies:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        _ = shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    code = 0
    for part in page.parts:
        match part:
            case Written():
                _write(page, part, folder / part.path)
            case Command():
                done = _run(part.text, folder, code)
                code = done.returncode
                yield Played(command=part, output=done.stdout, code=code)


def _write(page: Page, part: Written, target: Path) -> None:
    if not part.change:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(part.text)
        return
    text = target.read_text()
    for hunk in re.split(r"^@@.*\n", part.text, flags=re.MULTILINE):
        lines = hunk.splitlines(keepends=True)
        before = "".join(line[1:] or "\n" for line in lines if line[:1] != "+")
        after = "".join(line[1:] or "\n" for line in lines if line[:1] != "-")
        if text.count(before) != 1:
            times = text.count(before)
            raise PageError(
                f"{page.path}:{part.line}: the lines that change stand {times} times in {part.path}"
            )
        text = text.replace(before, after)
    target.write_text(text)


def _run(command: str, folder: Path, code: int) -> subprocess.CompletedProcess[str]:
    kept = {
        key: value for key, value in os.environ.items() if not key.startswith(("REMEDIATOR", "PAGERDUTY"))
    }
    surroundings = {
        **kept,
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}",
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "TERM": "dumb",
        "COLUMNS": "110",
        "PYTHONUNBUFFERED": "1",  # both streams into one pipe, in the order of a terminal
    }
    return subprocess.run(
        ["bash", "-c", f"(exit {code})\n{command}"],
        cwd=folder,
        env=surroundings,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def complaint(page: Page, played: Played) -> str:
    """How what happened differs from what the page says; empty when it does not."""
    command, where = played.command, f"{page.path}:{played.command.line}: $ {played.command.text}\n"
    if played.code != command.code:
        return f"{where}ended with {played.code} instead of {command.code}:\n{played.output}"
    said, saw = (_settled(text, page.volatile) for text in (command.output, played.output))
    if _pattern(said).fullmatch(saw):
        return ""
    lines = difflib.unified_diff(said.splitlines(), saw.splitlines(), "the page", "the program", lineterm="")
    return where + "\n".join(lines)


def _settled(text: str, volatile: Sequence[re.Pattern[str]]) -> str:
    for pattern in volatile:
        text = pattern.sub("‹volatile›", text)
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def _pattern(said: str) -> re.Pattern[str]:
    lines = ("(?:.*\n)*?" if line == _ANY else re.escape(line) + "\n" for line in said.splitlines())
    return re.compile("".join(lines))


def rewritten(page: Page, played: Sequence[Played]) -> str:
    """The page's text with the output of every command that differs as it really is."""
    text = page.text
    for each in reversed(played):
        if complaint(page, each):
            begin, end = each.command.span
            ended = each.output if not each.output or each.output.endswith("\n") else f"{each.output}\n"
            text = text[:begin] + ended + text[end:]
    return text


def main(arguments: Sequence[str]) -> int:
    """Play pages and write what differs into them. 1 when a command ended otherwise than its page says."""
    wrong = 0
    for name in arguments:
        page = read_page(Path(name))
        if page is None:
            raise SystemExit(f"{name} does not opt in; add the line <!-- console: tested -->")
        with tempfile.TemporaryDirectory() as folder:
            played = list(play(page, Path(folder)))
        for each in played:
            if found := complaint(page, each):
                print(found)
            wrong += each.code != each.command.code
        page.path.write_text(rewritten(page, played))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
