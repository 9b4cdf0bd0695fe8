"""Environments in a scenario: an axis of their own, places beside the file, what is refused."""

import sys
from pathlib import Path

import pytest

from bench import scenario
from bench.errors import ScenarioError
from bench.jsonable import from_plain, plain
from bench.model import Variant
from bench.scenario.outside import AppError, Outside

BASE = "question: q?\nworkload: {task: noop}\nload: {shape: flood, tasks: 10}\n"
TWO = "variants:\n  base: {requirements: celery==5.6.*}\n  head: {requirements: [celery==5.7.*, kombu]}\n"


def load(folder: Path, text: str, **more):
    path = folder / "s.yaml"
    path.write_text(BASE + text)
    return scenario.load(path, **more)


def refused(folder: Path, text: str) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        load(folder, text)
    return [mistake.partition(".yaml:")[2] for mistake in caught.value.mistakes]


def test_variants_are_the_first_axis_of_the_matrix(tmp_path):
    asked = load(tmp_path, TWO + "matrix: {workers.nodes: [1, 2]}\n")
    assert asked.axes == ("variant", "workers.nodes")
    assert [cell.settings["variant"] for cell in asked.cells] == ["base", "base", "head", "head"]
    assert asked.cells[0].setup.variant == Variant(requirements=("celery==5.6.*",))
    assert asked.cells[-1].setup.variant.requirements == ("celery==5.7.*", "kombu")
    assert from_plain(plain(asked)) == asked, "kept with the results"


def test_places_are_beside_the_file(tmp_path):
    for folder in ("../proj", "proj", "venv/bin"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    (tmp_path / "venv" / "bin" / "python").symlink_to(sys.executable)
    asked = load(
        tmp_path,
        "variants:\n  main: {source: ../proj@v1.0}\n"
        "  now: {source: proj, requirements: [-r need.txt, ./lib, x]}\n"
        "  py: {python: venv/bin/python}\n  here: {}\n",
    )
    main, now, py, here = (cell.setup.variant for cell in asked.cells)
    assert (Path(main.source), main.revision) == (tmp_path / ".." / "proj", "v1.0")
    assert now.requirements == (f"-r {tmp_path / 'need.txt'}", str(tmp_path / "lib"), "x")
    assert (Path(now.source), now.revision) == (tmp_path / "proj", "")
    assert Path(py.python) == tmp_path / "venv" / "bin" / "python"
    assert here.is_here


def test_every_mistake_is_told_at_its_line(tmp_path):
    told = refused(
        tmp_path, "variants:\n  a: {requirements: x, python: y}\n  b: {source: 3}\n  c: {sauce: x}\n"
    )
    assert [text.partition(":")[0] for text in told] == ["5", "6", "7"]
    assert "variants.a: has `requirements` or `python`, not both" in told[0]
    assert "variants.b.source: must be text" in told[1]
    assert "variants.c.sauce: unknown key. Did you mean 'source'?" in told[2]


@pytest.mark.parametrize("value", ["{}", "3", "[]"])
def test_variants_that_are_none(tmp_path, value):
    (told,) = refused(tmp_path, f"variants: {value}\n")
    assert told.startswith("4: variants: must be a list of values, or a mapping")


def test_one_environment_and_several_cannot_both_be(tmp_path):
    (told,) = refused(tmp_path, TWO + "variant: {python: x}\n")
    assert "Keep one of them" in told


def test_an_app_in_another_environment_is_asked_when_that_is_there(tmp_path):
    def tasks(app):
        raise AppError("cannot be imported here")

    asked = load(tmp_path, TWO + "app: proj\n", outside=Outside(tasks=tasks))
    assert len(asked.cells) == 2


def test_a_variant_of_the_file_keeps_its_name_also_where_it_is_what_is_here(tmp_path):
    mine = (
        "variants: {old: {requirements: x==1}, new: {}}\ngates: ['throughput[new] / throughput[old] > 90%']\n"
    )
    asked = load(tmp_path, mine, variants={"base": "old", "head": "new"})
    assert [cell.settings["variant"] for cell in asked.cells] == ["old", "new"], "so its gates can be read"
    assert asked.cells[1].setup.variant.is_here, "no package that happens to be called new"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nwe", "--head nwe: is none of the scenario's variants. Did you mean 'new'?"),
        ("celery", "A package is written with its version, as in celery==1.2"),
        ("../nowhere@main", "--head ../nowhere@main: is not there. Name a folder"),
        ("/no/bin/python", "is not there"),
        (__file__, "is neither folder nor interpreter"),
        (".@", "has no revision behind the @ of `source`"),
    ],
)
def test_a_word_that_names_nothing(tmp_path, text, told):
    with pytest.raises(ScenarioError) as caught:
        load(
            tmp_path,
            "variants: {old: {requirements: x==1}, new: {}}\n",
            variants={"base": "old", "head": text},
        )
    assert told in str(caught.value)


def test_places_that_are_not_there(tmp_path):
    told = refused(
        tmp_path, "variants:\n  a: {source: ../nowhere@main}\n  b: {python: bin/python}\n  c: {}\n"
    )
    assert [text.partition(". ")[0] for text in told] == [
        "5: variants.a.source: there is no folder ../nowhere",
        "6: variants.b.python: there is no interpreter bin/python",
    ]


def test_the_command_line_names_environments(tmp_path):
    asked = load(tmp_path, TWO, variants={"base": "head", "head": ""})
    assert asked.cells[0].setup.variant.requirements == ("celery==5.7.*", "kombu"), "one of the file's"
    assert asked.cells[1].setup.variant.is_here
    words = {"a": f"{tmp_path}@main", "b": str(tmp_path), "c": sys.executable, "d": "celery==5.6.* redis<6"}
    a, b, c, d = (cell.setup.variant for cell in load(tmp_path, "", variants=words).cells)
    assert (a.source, a.revision) == (str(tmp_path), "main")
    assert (b.source, b.revision) == (str(tmp_path), "")
    assert c.python == sys.executable
    assert d.requirements == ("celery==5.6.*", "redis<6")
