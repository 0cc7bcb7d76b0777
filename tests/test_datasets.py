"""The bundled data sets: what is in them, against the reference files made from R."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from jaxlogit import datasets

REFERENCE = Path(__file__).parent / "reference"

# rows, columns, events, trials
SHAPES = {
    "birthwt": (189, 10, 59, 189),
    "endometrial": (79, 4, 30, 79),
    "menarche": (25, 3, 2308, 3918),
    "urine": (77, 7, 33, 77),
    "mgus2": (1338, 6, 112, 1338),
}


def response_of(data):
    return data.formula.split("~")[0].strip()


def test_names_are_those_documented():
    assert datasets.names() == tuple(SHAPES)


@pytest.mark.parametrize("name", SHAPES)
def test_shapes_and_event_counts(name):
    data = datasets.load(name)
    rows, width, events, trials = SHAPES[name]
    assert len(data.columns) == width
    assert {len(column) for column in data.columns.values()} == {rows}
    assert data.columns[response_of(data)].sum() == events
    assert (rows if data.trials is None else data.columns[data.trials].sum()) == trials


@pytest.mark.parametrize("name", SHAPES)
def test_columns_are_whole_and_typed(name):
    for column in datasets.load(name).columns.values():
        assert column.dtype in (np.int64, np.float64) or column.dtype.kind == "U"
        if column.dtype.kind == "f":
            assert np.all(np.isfinite(column))
        if column.dtype.kind == "U":
            assert not {"", "NA", "nan"} & set(column.tolist())


@pytest.mark.parametrize("name", SHAPES)
def test_sources_and_descriptions_are_given(name):
    data = datasets.load(name)
    assert data.name == name
    assert "doi:10." in data.source
    assert all(f"{column}:" in data.description for column in data.columns)
    assert data.description == data.description.strip() and "  " not in data.description


@pytest.mark.parametrize("name", SHAPES)
def test_values_are_those_of_the_reference(name):
    data = datasets.load(name)
    record = json.loads((REFERENCE / f"{name}.json").read_text(encoding="utf-8"))
    design = dict(zip(record["names"], np.array(record["X"]).T, strict=True))
    np.testing.assert_array_equal(data.columns[response_of(data)], record["y"])
    if data.trials is not None:
        np.testing.assert_array_equal(data.columns[data.trials], record["trials"])
    for column in data.columns.keys() & design.keys():
        np.testing.assert_array_equal(data.columns[column], design[column])
    indicators = [("race", "black"), ("race", "other"), ("sex", "M")]
    for column, label in indicators:
        if column in data.columns and column + label in design:
            np.testing.assert_array_equal(data.columns[column] == label, design[column + label])


def test_labels():
    race, counts = np.unique(datasets.load("birthwt").columns["race"], return_counts=True)
    assert dict(zip(race.tolist(), counts.tolist(), strict=True)) == {
        "white": 96,
        "black": 26,
        "other": 67,
    }
    assert set(datasets.load("mgus2").columns["sex"].tolist()) == {"F", "M"}


def test_endometrial_is_separated_by_neovasculization():
    columns = datasets.load("endometrial").columns
    assert np.all(columns["HG"][columns["NV"] == 1] == 1)
    assert set(columns["HG"][columns["NV"] == 0].tolist()) == {0, 1}


def test_each_load_is_the_callers_own():
    first = datasets.load("menarche")
    first.columns["Age"][:] = 0
    assert datasets.load("menarche").columns["Age"].min() > 9


def test_unknown_name_lists_the_names_and_the_nearest():
    with pytest.raises(
        ValueError, match=r"name must be one of .*'mgus2': found 'birthwgt'"
    ) as error:
        datasets.load("birthwgt")
    assert "did you mean 'birthwt'?" in str(error.value)
    with pytest.raises(ValueError, match=r"found 'zzz'$"):
        datasets.load("zzz")


def test_every_data_set_loads_without_pandas():
    program = (
        "import sys; sys.modules['pandas'] = None\n"
        "from jaxlogit import datasets\n"
        "print(sum(len(datasets.load(name).columns) for name in datasets.names()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == sum(width for _, width, _, _ in SHAPES.values())


def test_to_frame_keeps_names_and_values():
    data = datasets.load("birthwt")
    frame = data.to_frame()
    assert list(frame.columns) == list(data.columns)
    for name, column in data.columns.items():
        np.testing.assert_array_equal(frame[name].to_numpy(), column)
