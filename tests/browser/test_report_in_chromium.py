"""The rendered report as a browser shows it: from a file, on wide and narrow screens, dark and on paper."""

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench import store
from bench.report import beliefs_page

Report = Callable[[str], Path]
SHIPPED = ("quickstart", "prefetch-imbalance")
CHANGING = ("changing", "most")

OVERLAPS = """
[...document.querySelectorAll("figure svg")].flatMap(svg => {
  const texts = [...svg.querySelectorAll("text")].map(t => [t.textContent.trim(), t.getBoundingClientRect()])
    .filter(([words, box]) => words && box.width);
  return texts.flatMap(([a, p], i) => texts.slice(i + 1).filter(([b, q]) =>
    Math.min(p.right, q.right) - Math.max(p.left, q.left) > 1 &&
    Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top) > 2).map(([b]) => a + " | " + b));
})
"""
CLIPPED = """
[...document.querySelectorAll("figure svg")].flatMap(svg => {
  const frame = svg.getBoundingClientRect();
  return [...svg.querySelectorAll("text")].filter(t => {
    const box = t.getBoundingClientRect();
    return box.left < frame.left - 1 || box.right > frame.right + 1 || box.bottom > frame.bottom + 1;
  }).map(t => t.textContent);
})
"""
CONTRAST = """
(() => {
  const light = c => {
    const [r, g, b] = c.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
      .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = light(getComputedStyle(document.body).backgroundColor);
  const ratio = c => (Math.max(light(c), paper) + 0.05) / (Math.min(light(c), paper) + 0.05);
  const all = words => [...document.querySelectorAll(words)].map(found => getComputedStyle(found));
  return Math.min(...all("figure svg text").map(style => ratio(style.fill)),
    ...all("p, li, td, th, h2, figcaption").map(style => ratio(style.color)));
})()
"""


@pytest.mark.parametrize("name", SHIPPED)
def test_nothing_is_fetched_and_nothing_complains(name: str, tab: Any, report: Report) -> None:
    tab.open(report(name))
    tab.evaluate("document.title")
    asked = [
        e["params"]["request"]["url"] for e in tab.events if e.get("method") == "Network.requestWillBeSent"
    ]
    assert asked == [report(name).as_uri()]
    bad = ("Runtime.exceptionThrown", "Log.entryAdded", "Network.loadingFailed")
    assert [e for e in tab.events if e.get("method") in bad] == []
    assert tab.evaluate("document.querySelectorAll('script').length") == 1, "what failed was not a script"


@pytest.mark.parametrize("width", [320, 400, 1280])
def test_the_page_never_scrolls_sideways(width: int, tab: Any, report: Report) -> None:
    tab.open(report("quickstart"), width)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert tab.evaluate("document.querySelector('figure svg').getBoundingClientRect().width") >= 600


@pytest.mark.parametrize("name", (*SHIPPED, *CHANGING))
def test_no_words_of_a_picture_overlap_or_are_cut_off(name: str, tab: Any, report: Report) -> None:
    tab.open(report(name))
    assert tab.evaluate(OVERLAPS) == []
    assert tab.evaluate(CLIPPED) == []


@pytest.mark.parametrize("dark", [False, True])
def test_words_stand_out(dark: bool, tab: Any, report: Report) -> None:
    tab.open(report("quickstart"), dark=dark)
    assert tab.evaluate(CONTRAST) >= 4.5, "WCAG AA"


def test_the_filter_keeps_the_rows_with_all_words(tab: Any, report: Report) -> None:
    tab.open(report("quickstart"))
    left = tab.evaluate(
        """(() => {
          const input = document.querySelector("input[type=search]");
          input.value = "io gevent";
          input.dispatchEvent(new Event("input"));
          const rows = [...document.querySelectorAll("tr[data-words]")];
          return rows.filter(row => row.offsetHeight).map(row => row.dataset.words);
        })()"""
    )
    assert len(left) == 2
    assert all(words.startswith("io gevent") for words in left)


def test_it_prints(tab: Any, report: Report) -> None:
    tab.open(report("quickstart"))
    paper = base64.b64decode(tab.call("Page.printToPDF", printBackground=False)["data"])
    assert paper.startswith(b"%PDF")
    assert paper.count(b"/Type /Page\n") + paper.count(b"/Type /Page ") + paper.count(b"/Type /Page/") >= 2


@pytest.mark.parametrize("name", CHANGING)
def test_wide_tables_of_phases_and_steps_scroll_by_themselves(name: str, tab: Any, report: Report) -> None:
    tab.open(report(name), 400)
    tab.evaluate("document.querySelectorAll('details').forEach(found => found.open = true)")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 400
    assert tab.evaluate("document.querySelectorAll('details table tbody tr').length") > 10


@pytest.fixture(scope="module")
def beliefs(believed: list[store.Run], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return beliefs_page.write(believed, tmp_path_factory.mktemp("beliefs"))


@pytest.mark.parametrize("dark", [False, True])
def test_the_page_of_fourteen_beliefs_can_be_read(dark: bool, tab: Any, beliefs: Path) -> None:
    tab.open(beliefs, dark=dark)
    assert tab.evaluate("document.querySelectorAll('article').length") == 14
    assert tab.evaluate(OVERLAPS) == []
    assert tab.evaluate(CLIPPED) == []
    assert tab.evaluate(CONTRAST) >= 4.5, "WCAG AA"
    tab.open(beliefs, 320, dark=dark)
    tab.evaluate("document.querySelectorAll('details').forEach(found => found.open = true)")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.mark.parametrize("dark", [False, True])
def test_words_of_the_new_pictures_stand_out(dark: bool, tab: Any, report: Report) -> None:
    for name in CHANGING:
        tab.open(report(name), dark=dark)
        assert tab.evaluate(CONTRAST) >= 4.5, "WCAG AA"
