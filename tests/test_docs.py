"""The documentation tells the truth: its examples run, its tables are the code's."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import wirecut
from tests import documents
from tests.documents import Block, Page, blocks_of, same
from tools import picture, reference
from wirecut.trying import telling_faults

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
# Evidence says how long runs were made, which are not to be made again here.
WITH_EXAMPLES = [
    page
    for page in PAGES
    if page.parent.name != "evidence"
    and any(block.language in {"python", "console"} for block in blocks_of(page.read_text()))
]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.clients
@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=pytest.mark.lab if "<!-- needs: " in page.read_text() else ())
        for page in WITH_EXAMPLES
    ],
    ids=name_of,
)
def test_the_examples_of_a_page_do_what_it_says(page: Path, tmp_path: Path) -> None:
    examples = Page(name_of(page), blocks_of(page.read_text("utf-8")), tmp_path)
    found = examples.run()
    assert not found, "\n\n".join(found)
    if examples.left_out:
        missing = dict.fromkeys(name for block in examples.left_out for name in block.missing)
        pytest.skip(
            f"wirecut_needs: missing here: {', '.join(map(repr, missing))} for the examples at "
            f"line {', '.join(str(block.line) for block in examples.left_out)}, all others "
            "were run: run the tests with --wirecut-lab"
        )


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("```python\nraise SystemExit(3)\n```\n", "ended with 3"),
        ("```python\ndef test_it():\n    assert 1 == 2\n```\n", "assert 1 == 2"),
        ('```python\nprint(1)\n```\n\n```text title="Output"\n2\n```\n', "--- but\n1"),
        ("```console\n$ python -c 'print(1)'\n2\n```\n", "--- but\n1"),
        ("```console\n$ python -c 'raise SystemExit(4)'\n```\n", "ended with 4"),
        ("```console\n$ python -c 'exit(4)'\n$ echo $?\n5\n```\n", "echo $?: 4"),
        ("- In a list:\n\n    ```python\n    raise SystemExit(3)\n    ```\n", "ended with 3"),
    ],
)
def test_control_an_example_that_does_otherwise_is_found(
    body: str, problem: str, tmp_path: Path
) -> None:
    (found,) = Page("planted", blocks_of(body), tmp_path).run()
    assert problem in found


def test_control_an_example_that_does_as_it_says_is_not(tmp_path: Path) -> None:
    body = (
        '```python title="hello.py"\nprint("127.0.0.1:80")\n```\n\n'
        "```console\n$ python hello.py\n127.0.0.1:4711\n$ echo $?\n0\n$ rm -rf nothing\n```\n"
    )
    assert Page("planted", blocks_of(body), tmp_path).run() == []


def test_an_example_is_left_out_where_what_it_needs_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = (
        "<!-- needs: raw packets, tcp repair -->\n```python\nraise SystemExit(3)\n```\n\n"
        "- <!-- needs: raw packets -->\n\n```python\nraise SystemExit(4)\n```\n"
    )
    one, other = blocks_of(body)
    assert (one.needs, one.line, other.needs) == (("raw packets", "tcp repair"), 2, ())
    monkeypatch.setattr(documents, "available", lambda name: name != "tcp repair")
    page = Page("planted", [one, other], tmp_path)
    (found,) = page.run()
    assert "ended with 4" in found
    assert (page.left_out, one.missing) == ([one], ["tcp repair"])
    monkeypatch.setattr(documents, "available", lambda _: True)
    assert len(Page("planted", [one, other], tmp_path).run()) == 2


def test_output_is_compared_without_ports_and_with_gaps() -> None:
    assert same("on 127.0.0.1:1 ... done", "on 127.0.0.1:54321 and so on, done\n")
    assert not same("on 127.0.0.1:1 done", "on 127.0.0.1:54321 and so on, done\n")


def test_a_block_knows_its_language_title_and_line() -> None:
    text = 'one\n\n```python title="a.py"\nx = 1\n```\n'
    assert blocks_of(text) == [Block("python", "a.py", "x = 1\n", 3)]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_generated_part_of_a_page_is_current(page: Path) -> None:
    text = page.read_text("utf-8")
    assert reference.filled_in(text) == text, "run: python -m tools.reference"


def test_control_a_stale_part_is_replaced() -> None:
    text = "before\n\n<!-- generated: moments -->\nstale\n<!-- end -->\n\nafter\n"
    filled = reference.filled_in(text)
    assert "stale" not in filled
    assert "`request.end`" in filled
    assert filled.startswith("before\n")
    assert filled.endswith("\nafter\n")


def test_a_part_that_nothing_generates_is_an_error() -> None:
    with pytest.raises(KeyError, match="nonsense"):
        reference.filled_in("<!-- generated: nonsense -->\n<!-- end -->\n")


def test_every_public_name_is_in_the_reference() -> None:
    text = "\n".join(page.read_text("utf-8") for page in (DOCS / "reference").glob("*.md"))
    documented = set(re.findall(r"^::: wirecut\.(\w+)", text, re.MULTILINE))
    assert set(wirecut.__all__) - documented == set()


def test_the_links_of_the_readme_lead_somewhere() -> None:
    """Those of all other pages are checked by mkdocs."""
    links = re.findall(r"\]\(([^)#]+)", (ROOT / "README.md").read_text("utf-8"))
    local = [link for link in links if not link.startswith("https://")]
    assert len(local) > 5
    assert [link for link in local if not (ROOT / link).exists()] == []


def test_the_picture_shows_what_the_readme_says_it_does() -> None:
    """Its times are of one machine, so it is not drawn anew here: its rows are compared."""
    drawn = re.sub(r"<[^>]+>", "\n", picture.PICTURE.read_text("utf-8"))
    words = set(html.unescape(drawn).replace("\xa0", " ").split())
    assert set(picture.COMMAND.split()) <= words
    assert f" && {picture.COMMAND}\n" in (ROOT / "README.md").read_text("utf-8")
    assert {fault.text for fault in telling_faults()} - words == set()


@pytest.mark.parametrize(("link", "is_fine"), [("index.md", True), ("nowhere.md", False)])
def test_control_ci_fails_for_a_broken_link(link: str, is_fine: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a case
    pytest.importorskip("mkdocs", reason="the extra 'docs' is not installed")
    lines = (ROOT / ".ci/run").read_text("utf-8").splitlines()
    (command,) = [line for line in lines if line.startswith("mkdocs build ")]
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text(f"[somewhere]({link})\n", "utf-8")
    (tmp_path / "mkdocs.yml").write_text("site_name: planted\n", "utf-8")
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m {command}"],
        cwd=tmp_path,
        env=os.environ | {"work": str(tmp_path)},
        capture_output=True,
        check=False,
    )
    assert (done.returncode == 0) is is_fine, done.stderr


def test_the_pages_name_no_machine() -> None:
    found = [
        f"{name_of(page)}: {match[0]}"
        for page in PAGES
        for match in re.finditer(r"(?<![\w.])/(?:work|home|root)/\S+", page.read_text("utf-8"))
    ]
    assert found == []
