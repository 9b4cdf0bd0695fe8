import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from bench import store
from bench.errors import EnvironmentFault
from bench.report import page
from bench.run.fake import Fake


class Page(HTMLParser):
    """Every tag with its attributes, and the text outside style and script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._hidden = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._hidden = tag in ("style", "script")

    def handle_endtag(self, _: str) -> None:
        self._hidden = False

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def written(sample: store.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return page.write(sample, tmp_path_factory.mktemp("reports"))


def test_everything_lies_in_the_runs_folder(written: Path) -> None:
    assert written.parent.name == "sample"
    charts = ("throughput", "latency", "waiting", "lanes", "resources")
    wanted = {"index.html", "report.md", "cells.csv", "trials.csv"}
    wanted |= {f"{name}.{kind}" for name in charts for kind in ("svg", "png")}
    assert {p.name for p in written.parent.iterdir()} == wanted
    assert [p.name for p in written.parent.parent.iterdir()] == ["sample"], "no working folder stays"


def test_the_page_needs_nothing_else(written: Path) -> None:
    text = written.read_text()
    assert "http" not in text.replace("http-equiv", "")
    for tag, attrs in Page(text).tags:
        assert "src" not in attrs
        assert tag not in ("link", "iframe", "object", "embed", "base")
        if "href" in attrs:
            href = attrs["href"] or ""
            assert href.startswith("#") or (written.parent / href).exists(), href
    assert "url(" not in re.sub(r"url\(#", "", text)


def test_what_comes_from_outside_is_escaped(written: Path) -> None:
    text = written.read_text()
    assert "Which &lt;pool&gt; &amp; why?" in text
    assert "<b>died" not in text
    assert "worker <b>died</b> with exit code -9" in Page(text).text


def test_text_first_then_pictures_then_table_and_conditions(written: Path) -> None:
    text = Page(written.read_text()).text
    order = [
        "Which <pool> & why?",
        "has the highest throughput",
        "To use it",
        "Gates",
        "Doubts",
        "Where the waiting happens",
        "Who ran what when",
        "All cells",
        "How it was run",
    ]
    places = [text.index(words) for words in order]
    assert places == sorted(places)
    assert "celery-bench run pools" in text
    assert "A CPU" in text


def test_gates_are_judged(written: Path) -> None:
    text = Page(written.read_text()).text
    assert "fail makespan < 1h" in text, "a cell whose every trial failed fails every gate"
    assert "7 of 8 cells pass" in text
    assert "fail throughput > 150/s" in text


def test_the_same_run_gives_the_same_report(sample: store.Run, written: Path, tmp_path: Path) -> None:
    again = page.write(sample, tmp_path)
    for file in written.parent.iterdir():
        assert (again.parent / file.name).read_bytes() == file.read_bytes(), file.name


def test_markdown_for_a_pull_request(written: Path) -> None:
    text = (written.parent / "report.md").read_text()
    assert "### Which \\<pool\\> & why?" in text
    assert "<b>" not in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in tables}) == 1
    assert text.count("<details>") == text.count("</details>")


def test_several_questions_have_each_their_pictures(
    make_scenario: Any, make_run: Any, tmp_path: Path
) -> None:
    one = make_scenario(name="one", work=["cpu"], repeats=1)
    two = make_scenario(name="two", work=["io"], repeats=1, question="And the other?")
    index = page.write(make_run(one, two), tmp_path)
    assert (index.parent / "one-throughput.svg").exists()
    assert (index.parent / "two-lanes.png").exists()
    ids = re.findall(r'\bid="([^"]+)"', index.read_text())
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("stop", [0, 1, 5])
def test_a_run_that_was_interrupted(stop: int, make_scenario: Any, make_run: Any, tmp_path: Path) -> None:
    text = Page(page.write(make_run(make_scenario(), stop=stop), tmp_path).read_text()).text
    assert f"{stop} of 24 trials were run" in text
    assert "ndecided" in text


def test_only_failed_trials(make_scenario: Any, make_run: Any, tmp_path: Path) -> None:
    asked = make_scenario(work=["cpu"], repeats=1)
    run = make_run(asked, fake=Fake(broken={cell.id: "no <worker>" for cell in asked.cells}))
    text = Page(page.write(run, tmp_path).read_text()).text
    assert "4 trials ran and none succeeded" in text
    assert "no <worker>" in text


def test_one_cell_one_trial(make_scenario: Any, make_run: Any, tmp_path: Path) -> None:
    run = make_run(make_scenario(work=["cpu"], pools=["solo"], prefetch=[1], repeats=1))
    index = page.write(run, tmp_path)
    assert "how far it varies is not known" in Page(index.read_text()).text
    assert (index.parent / "lanes.png").exists()


def test_a_run_of_which_only_the_numbers_were_kept(make_scenario: Any, make_run: Any, tmp_path: Path) -> None:
    run = make_run(make_scenario(work=["cpu"], repeats=2))
    shutil.rmtree(run.path / "trials")
    index = page.write(run, tmp_path)
    assert (index.parent / "throughput.png").exists()
    assert not (index.parent / "lanes.png").exists()


def test_a_failure_leaves_the_old_report(
    sample: store.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = page.write(sample, tmp_path)
    before = index.read_bytes()

    def fail(*_: object) -> str:
        raise RuntimeError("in the middle")

    monkeypatch.setattr(page.markdown, "report", fail)
    with pytest.raises(RuntimeError):
        page.write(sample, tmp_path)
    assert index.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["sample"]


def test_a_folder_that_cannot_be_written(sample: store.Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(EnvironmentFault, match="cannot be written") as fault:
        page.write(sample, tmp_path / "file")
    assert "--reports" in fault.value.hint
