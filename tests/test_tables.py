"""Text and tidy tables of a fit."""

import numpy as np

import jaxlogit as jl

DOSE = np.column_stack([np.ones(6), np.arange(6)])
DEAD = np.array([0, 1, 1, 1, 2, 3])


def test_tidy_table_has_the_contract_columns():
    frame = jl.fit(DOSE, np.stack([DEAD, DEAD[::-1]]), trials=3, names=["const", "dose"]).to_frame()
    assert list(frame.columns) == [
        "model", "term", "estimate", "std_error", "statistic", "p_value",
        "conf_low", "conf_high", "status",
    ]  # fmt: skip
    assert frame["model"].tolist() == [0, 0, 1, 1]
    assert frame["term"].tolist() == ["const", "dose"] * 2
    assert set(frame["status"]) == {"converged"}
    assert np.all(
        (frame["conf_low"] < frame["estimate"]) & (frame["estimate"] < frame["conf_high"])
    )


def test_summary_of_one_model_and_of_many():
    one = jl.fit(DOSE, DEAD, trials=3, names=["const", "dose"])
    text = one.summary()
    assert "log-likelihood -8.82219" in text and "dose" in text and "0.91273" in text
    assert max(len(line) for line in text.splitlines()) <= 100
    many = jl.fit(DOSE, np.tile(DEAD, (50, 1)), trials=3, names=["const", "dose"]).summary()
    assert "50 models" in many and "50 CONVERGED" in many
    assert len(many.splitlines()) < 12


def test_separation_shows_as_infinite_in_the_tables():
    fitted = jl.fit(DOSE, [0, 0, 0, 3, 3, 3], trials=3, names=["const", "dose"])
    frame = fitted.to_frame()
    assert frame["estimate"].tolist() == [-np.inf, np.inf]
    assert set(frame["status"]) == {"separated_complete"}
    assert "inf" in fitted.summary()
