"""What was drawn, read back from the SVG's text; that nothing warns is checked by the test settings."""

import re
from itertools import pairwise
from typing import Any

import pytest

from bench import model, store
from bench.report import draw, figures, palette, sheet
from bench.report.charts import charts
from bench.report.view import collect


@pytest.fixture(scope="module")
def pictures(sample: store.Run) -> dict[str, str]:
    with sheet.style():
        return {c.name: sheet.svg(c.figure(), c.name) for c in charts(collect(sample)[0], sample)}


def test_there_is_every_picture(pictures: dict[str, str]) -> None:
    assert list(pictures) == ["throughput", "latency", "waiting", "lanes", "resources"]


def test_the_same_data_give_the_same_picture(pictures: dict[str, str], sample: store.Run) -> None:
    with sheet.style():
        again = {c.name: sheet.svg(c.figure(), c.name) for c in charts(collect(sample)[0], sample)}
    assert again == pictures


def test_no_dates_and_no_addresses_but_namespaces(pictures: dict[str, str]) -> None:
    for text in pictures.values():
        assert "<metadata" not in text
        assert set(re.findall(r"https?://[^\"<\s]+", text)) <= {
            "http://www.w3.org/2000/svg",
            "http://www.w3.org/1999/xlink",
        }


def test_ids_are_unique_on_a_page_and_references_resolve(pictures: dict[str, str]) -> None:
    page = "".join(pictures.values())
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    referred = re.findall(r'(?:url\(#|href="#)([^)"]+)', page)
    assert set(referred) <= set(ids)


def test_text_is_text_and_labels_are_there(pictures: dict[str, str]) -> None:
    words = re.findall(r"<text[^>]*>([^<]+)</text>", pictures["throughput"])
    assert "prefork · prefetch 16" in words
    assert "threads · prefetch 1" in words
    assert "3 of 3 trials failed" in words
    assert "throughput (tasks/s), more is better" in words


def test_a_pool_has_its_colour_in_every_picture(pictures: dict[str, str]) -> None:
    for name in ("throughput", "latency", "resources"):
        assert palette.POOL_COLOURS["prefork"] in pictures[name]
        assert palette.POOL_COLOURS["threads"] in pictures[name]
    for name in ("waiting", "lanes"):
        assert not any(colour in pictures[name] for colour in palette.POOL_COLOURS.values())


def test_the_inline_form_follows_the_pages_theme(pictures: dict[str, str]) -> None:
    inline = sheet.inline(pictures["lanes"], "Who ran what when")
    assert "http" not in inline
    assert 'role="img" aria-label="Who ran what when"' in inline
    assert "var(--fig-ink)" in inline
    assert not any(colour in inline for colour in sheet.THEMED)


def test_the_users_own_matplotlib_settings_do_not_show(pictures: dict[str, str], sample: store.Run) -> None:
    import matplotlib as mpl

    with mpl.rc_context({"lines.linewidth": 9, "axes.facecolor": "red"}), sheet.style():
        chart = next(iter(charts(collect(sample)[0], sample)))
        assert sheet.svg(chart.figure(), chart.name) == pictures[chart.name]


@pytest.mark.parametrize("cells", [1, 4, 20])
@pytest.mark.parametrize("panels", [1, 2, 4])
def test_labels_of_rows_do_not_overlap(cells: int, panels: int) -> None:
    rows = tuple(
        figures.Row(
            key=str(i),
            label=f"prefork -c 4 · prefetch {i} · a setting with a rather long name",
            pool="prefork",
        )
        for i in range(cells)
    )
    mark = figures.Mark(point=1.0, lower=0.9, upper=1.1, trials=(1.0,), level=True)
    panel = figures.Panel(title="cpu", values=(mark,) * cells, notes=("",) * cells)
    with sheet.style():
        figure = draw.metric(figures.MetricFigure(metric="throughput", rows=rows, panels=(panel,) * panels))
        figure.draw_without_rendering()
        boxes = [label.get_window_extent() for label in figure.axes[0].get_yticklabels()]
    assert all(a.y0 >= b.y1 for a, b in pairwise(boxes))
    assert all(box.x0 >= 0 for box in boxes)


def test_units_of_axes() -> None:
    assert sheet.scale_of("makespan", 0.05) == (1e-3, "ms")
    assert sheet.scale_of("makespan", 12.0) == (1.0, "s")
    assert sheet.scale_of("makespan", 600.0) == (60.0, "min")
    assert sheet.scale_of("memory", 2.0**31) == (2.0**30, "GiB")
    assert sheet.scale_of("utilisation", 0.9) == (0.01, "%")
    assert sheet.scale_of("throughput", 0.0) == (1.0, "tasks/s")


def test_a_metric_of_zeros_can_be_drawn(make_scenario: Any, given: Any) -> None:
    asked = make_scenario(metric="failed")
    view = given(asked, {cell.id: [0.0, 0.0] for cell in asked.cells})
    with sheet.style():
        assert "failed" in sheet.svg(draw.metric(figures.metric_figure(view)), "x")


def test_five_pools_five_colours() -> None:
    assert set(palette.POOL_COLOURS) == set(model.POOLS)
    others = {*palette.WAIT_COLOURS.values(), *palette.kind_colours(5), palette.NEUTRAL}
    assert len(set(palette.POOL_COLOURS.values())) == 5
    assert not others & set(palette.POOL_COLOURS.values())
