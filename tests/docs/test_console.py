"""The harness of the executed pages notices what it is there for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.console import PageError, Played, complaint, play, read_page, rewritten

PAGE = """# A page

<!-- console: tested, with docs/examples -->
<!-- volatile: took [0-9]+ ms -->

The file `a/greeting.txt`:

```text file=a/greeting.txt
hello
world
```

```console
$ cat a/greeting.txt
hello
...
$ echo one \\
    two; echo three >&2
one two
three
$ ls docs/examples/alert.json
docs/examples/alert.json
$ echo "took 12 ms"
took 99 ms
```

Then `a/greeting.txt` changes:

```diff file=a/greeting.txt
-hello
+good day
 world
```

```console exit=3
$ cat a/greeting.txt
good day
world
$ exit 3
```

```console
$ echo $?
3
```

```sh
this is not run
```
"""


def played(text: str, folder: Path) -> tuple[str, list[str]]:
    """The page as it would be rewritten, and what is wrong with it."""
    path = folder / "page.md"
    path.write_text(text)
    page = read_page(path)
    assert page is not None
    (folder / "work").mkdir()
    results: list[Played] = list(play(page, folder / "work"))
    return rewritten(page, results), [found for each in results if (found := complaint(page, each))]


def test_a_true_page_is_accepted_and_stays_as_it_is(tmp_path: Path) -> None:
    assert played(PAGE, tmp_path) == (PAGE, [])


def test_other_output_is_shown_line_by_line_and_corrected(tmp_path: Path) -> None:
    """The complaint names the page's line; what the program said replaces what the page said."""
    text, complaints = played(PAGE.replace("good day\nworld\n$", "good night\nworld\n$"), tmp_path)
    (found,) = complaints
    assert found.startswith(f"{tmp_path}/page.md:36: $ cat a/greeting.txt\n")
    assert "-good night\n+good day" in found
    assert text == PAGE


def test_another_exit_code_is_a_complaint(tmp_path: Path) -> None:
    _, complaints = played(PAGE.replace("exit=3", "exit=1"), tmp_path)
    assert ["ended with 3 instead of 1" in found for found in complaints] == [True]


def test_an_elision_stands_for_lines_and_not_for_parts_of_them(tmp_path: Path) -> None:
    _, complaints = played(PAGE.replace("hello\n...\n$", "hel...\n$"), tmp_path)
    assert len(complaints) == 1


@pytest.mark.parametrize(
    ("was", "becomes", "why"),
    [
        ("file=a/greeting.txt\nhello", "file=../greeting.txt\nhello", "leaves the directory"),
        ("file=a/greeting.txt\nhello", "file=b.txt\nhello", "name `b.txt` in the paragraph before"),
        ("-hello\n", "-hullo\n", "stand 0 times in a/greeting.txt"),
        ("```console\n$ echo $?", "```console\necho $?", "begins with a command"),
    ],
)
def test_a_page_that_cannot_be_played_says_why(was: str, becomes: str, why: str, tmp_path: Path) -> None:
    assert was in PAGE
    with pytest.raises(PageError, match=why):
        played(PAGE.replace(was, becomes), tmp_path)


def test_a_page_that_does_not_opt_in_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("```console\n$ false\n```\n")
    assert read_page(tmp_path / "page.md") is None
