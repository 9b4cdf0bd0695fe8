"""Traces: what a replayed load comes to, when its tasks are due, and how a broken trace is told."""

import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench import jsonable, model, scenario
from bench.errors import EnvironmentFault, ScenarioError
from bench.scenario import replay, trace
from bench.scenario.outside import Outside

SCENARIO = """\
question: Q
load: {shape: replay, file: trace.csv}
"""
PLAIN = "offset\n0.5\n2\n1\n"
MIXED = """\
offset,task,kwargs
0.0,io.sleep,"{""seconds"": 0.05}"
3.0,noop,
1.0,io.sleep,"{ ""seconds"":0.05 }"
2.0,io.sleep,"{""seconds"": 0.1}"
"""


@pytest.fixture
def write(tmp_path):
    def write(content: str | bytes | pd.DataFrame, text: str = SCENARIO, name: str = "trace.csv") -> Path:
        path = tmp_path / name
        if isinstance(content, pd.DataFrame):
            content.to_parquet(path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        asked = tmp_path / "asked.yaml"
        asked.write_text(text)
        return asked

    return write


@pytest.fixture
def mistakes(write, tmp_path):
    """The mistakes of a trace, without the folder."""

    def mistakes(content, text: str = SCENARIO, **options) -> list[str]:
        with pytest.raises(ScenarioError) as caught:
            scenario.load(write(content, text), **options)
        return [line.replace(f"{tmp_path}/", "") for line in caught.value.mistakes]

    return mistakes


WITH_TASK = SCENARIO + "workload: {task: noop}\n"


def test_offsets_are_sorted_and_the_workload_is_the_scenarios(write, tmp_path):
    (cell,) = scenario.load(write(PLAIN, WITH_TASK)).cells
    load = cell.setup.load
    assert (load.tasks, load.count, load.duration, load.speed) == (3, 3, 2.0, 1.0)
    assert load.file == str(tmp_path / "trace.csv")
    assert len(load.digest) == 16
    due, choice = replay.schedule(load)
    assert due.dtype == np.float64
    assert due.tolist() == [0.5, 1.0, 2.0]
    assert choice is None
    assert cell.setup.workload == (model.TaskCall(task="noop"),)


def test_a_trace_with_tasks_brings_its_workload(write):
    loaded = scenario.load(write(MIXED))
    setup = loaded.cells[0].setup
    assert setup.workload == (
        model.TaskCall(task="io.sleep", kwargs={"seconds": 0.05}, weight=2.0),
        model.TaskCall(task="io.sleep", kwargs={"seconds": 0.1}, weight=1.0),
        model.TaskCall(task="noop", weight=1.0),
    )
    due, choice = replay.schedule(setup.load)
    assert due.tolist() == [0.0, 1.0, 2.0, 3.0]
    assert choice is not None
    assert choice.dtype == np.int16
    assert choice.tolist() == [0, 0, 1, 2]
    assert loaded.metric == "p95(response)"
    assert jsonable.from_plain(jsonable.plain(loaded)) == loaded


def test_parquet_says_the_same_as_csv(write, tmp_path):
    write(MIXED)
    table = pd.read_csv(tmp_path / "trace.csv")
    asked = write(table, name="trace.parquet", text=SCENARIO.replace("trace.csv", "trace.parquet"))
    setup = scenario.load(asked).cells[0].setup
    assert setup.workload == scenario.load(write(MIXED)).cells[0].setup.workload
    assert replay.schedule(setup.load)[0].tolist() == [0.0, 1.0, 2.0, 3.0]
    assert setup.load.digest != scenario.load(write(MIXED)).cells[0].setup.load.digest


def test_speed_divides_the_offsets(write):
    load = scenario.load(write(PLAIN, WITH_TASK), sets=["load.speed=4"]).cells[0].setup.load
    assert load.duration == 0.5
    assert replay.schedule(load)[0].tolist() == [0.125, 0.25, 0.5]


def test_quick_takes_the_first_fifth(write):
    rows = "offset,task\n" + "".join(f"{n / 10},noop\n" for n in range(100))
    setup = scenario.load(write(rows), quick=True).cells[0].setup
    assert (setup.load.tasks, setup.load.duration) == (20, 1.9)
    due, choice = replay.schedule(setup.load)
    assert (len(due), due[-1]) == (20, 1.9)
    assert choice is not None
    assert len(choice) == 20


def test_ids_depend_on_the_content_and_not_on_the_place(write, tmp_path):
    def cell_id() -> str:
        return scenario.load(tmp_path / "asked.yaml").cells[0].id

    write(PLAIN, WITH_TASK)
    first = cell_id()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "trace.csv").rename(tmp_path / "elsewhere" / "other.csv")
    (tmp_path / "asked.yaml").write_text(WITH_TASK.replace("trace.csv", "elsewhere/other.csv"))
    assert cell_id() == first
    (tmp_path / "elsewhere" / "other.csv").write_text(PLAIN + "4\n")
    assert cell_id() != first


def test_a_trace_that_changed_or_went_is_told_when_its_schedule_is_wanted(write, tmp_path):
    load = scenario.load(write(PLAIN, WITH_TASK)).cells[0].setup.load
    (tmp_path / "trace.csv").write_text(PLAIN + "9\n")
    with pytest.raises(EnvironmentFault, match="has changed since"):
        replay.schedule(load)
    (tmp_path / "trace.csv").write_text("nonsense")
    with pytest.raises(EnvironmentFault, match="cannot be read any more"):
        replay.schedule(load)
    (tmp_path / "trace.csv").unlink()
    with pytest.raises(EnvironmentFault, match="cannot be read any more") as caught:
        replay.schedule(load)
    assert caught.value.exit_code == 3
    (tmp_path / "trace.csv").write_text(PLAIN)
    assert len(replay.schedule(load)[0]) == 3


def test_traces_are_an_axis(write, tmp_path):
    (tmp_path / "b.csv").write_text(MIXED)
    text = "question: Q\nload: {shape: replay, file: a.csv}\nmatrix: {load.file: [trace.csv, b.csv]}\n"
    loaded = scenario.load(write("offset,task\n1,noop\n", text))
    assert [cell.settings["load.file"] for cell in loaded.cells] == ["trace.csv", "b.csv"]
    assert [len(cell.setup.workload) for cell in loaded.cells] == [1, 3]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "trace.csv:1: the file is empty"),
        ("\n\n", "trace.csv:1: the file is empty"),
        ("offset\n", "trace.csv:1: there is no row"),
        ("time,task\n1,noop\n", "trace.csv:1: there is no column offset (seconds); there are 'time', 'task'"),
        ("offset;task\n1;noop\n", "there are 'offset;task'. Commas part columns"),
        ("offset,offset\n1,2\n", "trace.csv:1: the column offset is there twice"),
        ("offset,Tasks\n1,noop\n", "trace.csv:1: the column 'Tasks' is not known. Did you mean 'task'?"),
        ("offset,kwargs\n1,{}\n", "trace.csv:1: there is a column kwargs and none named task"),
        ("offset\n1\n-0.5\n", "trace.csv:3: offset -0.5 is negative"),
        ("offset\n1\n\n\nsoon\n", "trace.csv:5: offset is not a finite number"),
        ("\n\noffset\n1\n-2\n", "trace.csv:5: offset -2 is negative"),
        ("offset\nnan\n", "trace.csv:2: offset is not a finite number"),
        ("offset\ninf\n", "trace.csv:2: offset is not a finite number"),
        ("offset,task\n,noop\n", "trace.csv:2: offset is not a finite number"),
        ("offset,task\n1e9,noop\n", "asked.yaml:2: load.file: the last task would be due after"),
        (
            "offset,task\n1,noop\n2,io.slep\n3,io.slep\n",
            "trace.csv:3: there is no task 'io.slep'. Did you mean",
        ),
        ("offset,task\n1,\n", "trace.csv:2: there is no task ''"),
        ("offset,task\n1\n", "trace.csv:2: there is 1 cell for 2 columns"),
        ('offset,task,kwargs\n1,noop,"{\n}"\n2,noop,"[1,\n2]"\n', "trace.csv:4: kwargs '[1,"),
        ("offset,task,kwargs\n1,io.sleep,5\n", "trace.csv:2: kwargs '5' is not a JSON object"),
        ("offset,task,kwargs\n1,io.sleep,{a\n", "trace.csv:2: kwargs '{a' is not JSON"),
        ('offset,task,kwargs\n1,io.sleep,"{""seconds"": NaN}"\n', "trace.csv:2: kwargs "),
        ('offset,task,kwargs\n1,io.sleep,"{""second"": 1}"\n', "Did you mean 'seconds'?"),
        ("offset,task\n1,io.sleep\n", "trace.csv:2: io.sleep takes (seconds): missing a required argument"),
        ("offset,task\n1,noop,5\n", "trace.csv:2: there are 3 cells for 2 columns"),
        (
            "offset\n1.5\n\n1,5\n",
            "trace.csv:4: there are 2 cells for 1 column. Decimals have a point",
        ),
        ("offset,task\n1,noop\n\n  \n2,noop,,5\n", "trace.csv:5: there are 4 cells"),
        ('offset,task\n1,"noop\n2,noop\n', "trace.csv:2: there is no task 'noop"),
        (b"\x1f\x8b\x00\x00", "is neither CSV nor Parquet"),
        (b"\xff\xfe\xfa\n", "is neither CSV nor Parquet"),
        (b"offset,task\n" + b"1,noop\n" * 10_000 + b"1,\xff\n", "is not UTF-8 text"),
        (b"offset,who\n" + b"1,me\n" * 20_000 + b"1,\xff\n-1,me\n", "trace.csv:20003: offset -1 is negative"),
        (b"PAR1 and nothing", "trace.csv cannot be read as Parquet"),
        (pd.DataFrame({"offset": ["1"]}), "the column offset holds large_string|holds string"),
        (pd.DataFrame({"offset": pd.to_datetime(["2026-01-01"])}), "the column offset holds timestamp"),
        (pd.DataFrame({"offset": [True]}), "the column offset holds bool"),
        (pd.DataFrame({"offset": [1.0, None, -1.0]}), "trace.csv:2: offset is not a finite number"),
        (pd.DataFrame({"offset": [1], "task": [5]}), "the column task holds int64. Write names of tasks"),
        (pd.DataFrame({"offset": [1], "task": ["noop"], "kwargs": [{"a": 1}]}), "Write JSON as text"),
        (pd.DataFrame({"at": [1]}), "there is no column offset (seconds); there are 'at'"),
        (pd.DataFrame({"offset": []}), "the column offset holds null|there is no row"),
    ],
)
def test_what_is_wrong_with_a_trace_is_told_where_it_is(mistakes, content, told):
    lines = mistakes(content)
    assert any(part in lines[0] for part in told.split("|")), lines
    assert not any("workload: is missing" in line for line in lines)


def test_the_first_five_mistakes_are_told_and_how_many_more(mistakes):
    lines = mistakes("offset,task\n" + "-1,noop\n" * 7 + "1,nope\n1,nope\n")
    assert [line.split(": ")[0] for line in lines] == [*(f"trace.csv:{n}" for n in range(2, 7)), "trace.csv"]
    assert lines[-1] == "trace.csv: and 3 more mistakes"


def test_other_mistakes_of_the_scenario_are_told_as_well(mistakes):
    lines = mistakes("offset\n-1\n", SCENARIO + "workers: {nodes: 0}\n")
    assert [line.split(": ")[0] for line in lines] == ["asked.yaml:3", "trace.csv:2"]


@pytest.mark.parametrize("content", ["offset\n-1\n", "when\n1\n"])
def test_of_a_broken_trace_only_the_mistake_is_told(mistakes, content):
    fleet = "app: proj\nroutes: {noop: fast}\nworkers: [{queues: [fast]}, {queues: [slow]}]\n"
    (told,) = mistakes(content, SCENARIO + fleet, outside=Outside(tasks=lambda _: {}))
    assert told.startswith("trace.csv:")


def test_the_workload_is_stated_once(mistakes):
    (line,) = mistakes(MIXED, WITH_TASK)
    assert line.startswith("asked.yaml:3: workload: trace.csv says itself which tasks run")
    (line,) = mistakes(PLAIN)
    assert "workload: is missing" in line


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{shape: replay}", "load.file: is missing"),
        ("{shape: replay, file: 5}", "load.file: must be text"),
        ("{shape: replay, file: ''}", "load.file: must not be empty"),
        ("{shape: replay, file: trase.csv}", "Did you mean 'trace.csv'?"),
        ("{shape: replay, file: .}", "is not a file"),
        ("{shape: replay, file: /dev/zero}", "is not a file"),
        ("{shape: replay, file: 'trace.csv/x'}", "load.file: "),
        (f"{{shape: replay, file: {'x' * 300}}}", "load.file: "),
        ("{shape: replay, file: trace.csv, speed: 0}", "load.speed: must be at least"),
        ("{shape: replay, file: trace.csv, tasks: 5}", "load.tasks: unknown key"),
        ("[{shape: replay, file: trace.csv}, {shape: burst, tasks: 1}]", "load.0.shape: replay stands alone"),
    ],
)
def test_the_keys_of_a_replay(mistakes, text, told):
    (line,) = mistakes(PLAIN, f"question: Q\nworkload: {{task: noop}}\nload: {text}\n")
    assert told in line


def test_a_huge_file_is_refused_before_it_is_read(write, tmp_path):
    asked = write(PLAIN, WITH_TASK)
    os.truncate(tmp_path / "trace.csv", 10 * 2**30)
    begun = time.process_time()
    with pytest.raises(ScenarioError, match=r"has 10 GiB; at most 1 GiB are read\. Cut a stretch of it out"):
        scenario.load(asked)
    assert time.process_time() - begun < 1


def test_more_rows_or_calls_than_make_sense_are_refused(mistakes, monkeypatch):
    calls = "".join(f'1,io.sleep,"{{""seconds"": {n}}}"\n' for n in range(1001))
    (line,) = mistakes("offset,task,kwargs\n" + calls)
    assert "holds 1001 different calls" in line
    monkeypatch.setattr(trace, "MOST_ROWS", 10)
    for content in ("offset\n" + "1\n" * 11, pd.DataFrame({"offset": range(11)})):
        (line,) = mistakes(content, WITH_TASK)
        assert "rows" in line
        assert "10" in line


def test_a_byte_order_mark_spaces_and_other_columns_do_no_harm(write):
    asked = write("\ufeff user , offset , task \nme, 1.5,noop\n\nyou,0.25, noop\n")
    setup = scenario.load(asked).cells[0].setup
    assert replay.schedule(setup.load)[0].tolist() == [0.25, 1.5]


def test_a_million_rows_are_read_in_seconds(write):
    rows = "offset,task\n" + "".join(f"{n / 1e6:.6f},noop\n" for n in range(1_000_000))
    asked = write(rows)
    begun = time.process_time()
    load = scenario.load(asked).cells[0].setup.load
    assert time.process_time() - begun < 10
    assert load.tasks == 1_000_000
    begun = time.process_time()
    replay.schedule(load)
    assert time.process_time() - begun < 1, "read once"
