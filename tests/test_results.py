"""Records: short representations, and a tally of statuses in words."""

import dataclasses

import numpy as np
import pytest

from jaxlogit import Interval, Profile, Separation, Status, Test
from jaxlogit.results import tally


def interval(count: int) -> Interval:
    ends = np.zeros((count, 2))
    status = np.zeros((count, 2), np.int32)
    status[0, 0] = Status.INFINITE
    residual = np.zeros((count, 2, 2))
    return Interval(ends - 1, ends + 1, status, status, 0.95, "lr", ("a", "b"), residual)


def test_tally_names_the_most_frequent_first():
    status = np.array([[0, 3, 3], [3, 0, 7]])
    assert tally(status) == "3 SEPARATED_QUASI, 2 CONVERGED, 1 INFINITE"
    assert tally(np.zeros(12_345, np.int32)) == "12,345 CONVERGED"
    assert tally(np.int32(5)) == "1 RANK_DEFICIENT"


def test_a_small_record_shows_its_numbers():
    expected = "Interval(lower=array([[-1., -1.]]), upper=array([[1., 1.]])"
    assert repr(interval(1)).startswith(expected)


def test_a_large_record_shows_shapes_and_a_tally():
    text = repr(interval(10_000))
    assert "lower=array(10000, 2)" in text
    assert "lower_status=19,999 CONVERGED, 1 INFINITE" in text
    assert "level=0.95" in text and "names=('a', 'b')" in text
    assert len(text) < 400


@pytest.mark.parametrize("record", [Interval, Profile, Separation, Test])
def test_records_are_frozen(record):
    fields = [field.name for field in dataclasses.fields(record)]
    one = record(*(np.zeros(1) for _ in fields))
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(one, fields[0], None)
    for name in fields:
        assert name in repr(one)


def test_codes_stay_what_they_are():
    """Stored results hold these numbers."""
    assert {status.name: int(status) for status in Status} == {
        "CONVERGED": 0,
        "MAX_STEPS": 1,
        "STEP_HALVING_FAILED": 2,
        "SEPARATED_QUASI": 3,
        "SEPARATED_COMPLETE": 4,
        "RANK_DEFICIENT": 5,
        "NONFINITE_INPUT": 6,
        "INFINITE": 7,
        "NO_BOUND_FOUND": 8,
    }
