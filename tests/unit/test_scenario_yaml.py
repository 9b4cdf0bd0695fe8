"""Files that are no scenario at all: one clear sentence with file and line, quickly."""

import time
from pathlib import Path

import pytest

from bench import scenario
from bench.errors import ScenarioError
from bench.scenario import document

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join(f'*{old}' for _ in range(9))}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGE_BOMB = "a: &a {k: 1}\n" + "".join(
    f"{new}: &{new} {{<<: [{', '.join(f'*{old}' for _ in range(9))}]}}\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("content", "line", "what"),
    [
        (b"", 1, "the file is empty"),
        (b"# only a comment\n", 1, "the file is empty"),
        (b"\n- a\n- b\n", 2, "a scenario is a mapping"),
        (b"just words", 1, "a scenario is a mapping"),
        (b"question: a\nload: {shape: flood\n", 3, "not valid YAML"),
        (b"question: a\n\tload: 3\n", 2, "not valid YAML"),
        (b"question: a\n\xff\xfe\n", 2, "not UTF-8"),
        (b"question: \x00\n", 1, "not valid YAML"),
        (b"question: a\n---\nquestion: b\n", 2, "one file asks one question"),
        (b"question: a\nwhen: 2026-13-45\n", 2, "Write it in quotes"),
        (b"question: a\n? [x]\n: 3\n", 2, "not valid YAML"),
        (b"question: !!python/object/apply:os.system [ls]\n", 1, "not valid YAML"),
        (b"question: &a [*a]\n", 1, "part of"),
        (b"question: " + b"[" * 5000, 1, "nested too deeply"),
        (b"#" * (document.MAX_BYTES + 1), 1, "larger than"),
        (BOMB.encode(), 1, "more than"),
        (MERGE_BOMB.encode(), 1, "more than"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_sentence(tmp_path, content, line, what):
    path = tmp_path / "odd.yaml"
    path.write_bytes(content)
    begun = time.process_time()
    with pytest.raises(ScenarioError) as caught:
        scenario.load(path)
    assert time.process_time() - begun < 5
    (told,) = caught.value.mistakes
    assert told.startswith(f"{path}:{line}: "), told
    assert what in told


@pytest.mark.parametrize("name", ["not-there.yaml", ""])
def test_what_is_not_there_or_a_folder_is_a_mistake(tmp_path, name):
    with pytest.raises(ScenarioError, match="the file cannot be read"):
        scenario.load(tmp_path / name)


def test_what_may_not_be_read_is_a_mistake(tmp_path, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # a closed file would be open to root
    with pytest.raises(ScenarioError, match=r"closed\.yaml:1: the file cannot be read: Permission denied"):
        scenario.load(tmp_path / "closed.yaml")


def test_keys_that_yaml_takes_for_something_else(tmp_path):
    path = tmp_path / "odd.yaml"
    path.write_text("question: a\nworkload: {task: noop, kwargs: {on: 1}}\nload: {shape: flood, tasks: 1}\n")
    with pytest.raises(ScenarioError) as caught:
        scenario.load(path)
    assert "YAML reads on, off, yes and no" in caught.value.mistakes[0]


def test_a_key_that_stands_twice_is_told_at_the_second(tmp_path):
    path = tmp_path / "twice.yaml"
    path.write_text(
        "question: a\nworkload: {task: noop}\nload: {shape: flood, tasks: 1}\nworkload: {task: fail}\n"
    )
    with pytest.raises(ScenarioError) as caught:
        scenario.load(path)
    assert caught.value.mistakes == [
        f"{path}:4: workload: the key stands twice, first in line 2. Keep one of them"
    ]


def test_aliases_and_merges_are_fine_and_keep_their_lines(tmp_path):
    path = tmp_path / "merge.yaml"
    path.write_text(
        "question: a\nworkers: &w {pool: threads, nodes: 0}\nworkload: {task: noop}\n"
        "load: {shape: flood, tasks: 1}\nmatrix:\n  workers:\n    x: {<<: *w, nodes: 2}\n    y: *w\n"
    )
    with pytest.raises(ScenarioError) as caught:
        scenario.load(path)
    assert caught.value.mistakes == [f"{path}:2: matrix.workers.y.nodes: must be at least 1, not 0"]


def test_a_byte_order_mark_is_no_mistake(tmp_path):
    path = tmp_path / "bom.yaml"
    path.write_text(
        "\ufeffquestion: a\nworkload: {task: noop}\nload: {shape: flood, tasks: 1}\n", encoding="utf-8"
    )
    assert scenario.load(path).question == "a"
