"""`LogisticClassifier`: scikit-learn's own checks, and the right answers where it has none."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import jaxlogit as jl
from jaxlogit import datasets
from jaxlogit.sklearn import LARGEST, LogisticClassifier, independent


# Some checks have more features than rows, and take the logarithm of a probability of 0.
@pytest.mark.filterwarnings(
    "ignore:.*columns are left out:UserWarning", "ignore:divide by zero:RuntimeWarning"
)
@parametrize_with_checks([LogisticClassifier()])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def births():
    table = datasets.load("birthwt").columns
    return np.column_stack([table["age"], table["lwt"], table["smoke"]]), table["low"]


@pytest.fixture(scope="module")
def cancer():
    """Quasi-separated by its first feature: nobody of NV = 1 is a failure."""
    table = datasets.load("endometrial").columns
    return np.column_stack([table[name] for name in ("NV", "PI", "EH")]), table["HG"]


def with_ones(X):
    return np.column_stack([np.ones(len(X)), X])


@pytest.mark.parametrize("penalty", [None, "firth", jl.penalties.LogF(m=1)])
def test_estimates_are_those_of_fit_to_the_last_bit(births, penalty):
    X, y = births
    weights = 0.5 + np.arange(189) % 3
    found = LogisticClassifier(penalty).fit(X, y, sample_weight=weights)
    fitted = jl.fit(with_ones(X), y, weights=weights, penalty=penalty)
    np.testing.assert_array_equal(np.r_[found.intercept_, found.coef_[0]], fitted.coef)
    assert found.n_iter_ == [fitted.n_steps]
    np.testing.assert_allclose(found.predict_proba(X)[:, 1], fitted.predict(with_ones(X)),
                               rtol=1e-14)  # fmt: skip
    assert found.fit_.names == ("Intercept", "x0", "x1", "x2")


def test_without_intercept_and_with_labels(births):
    X, y = births
    found = LogisticClassifier(fit_intercept=False).fit(X, np.where(y == 1, "low", "normal"))
    assert found.classes_.tolist() == ["low", "normal"]
    np.testing.assert_array_equal(found.coef_[0], jl.fit(X, 1 - y).coef)
    assert found.intercept_ == [0.0]
    likelier = found.predict_proba(X).argmax(axis=1)
    np.testing.assert_array_equal(found.predict(X), found.classes_[likelier])


def test_quasi_separation_has_the_limits_of_predict(cancer):
    X, y = cancer
    found = LogisticClassifier().fit(X, y)
    assert found.coef_[0, 0] == np.inf and np.all(np.isfinite(found.coef_[0, 1:]))
    new = np.vstack([X[:20], [[1, 60, 0.2], [-1, 0, 5], [0, 30, 4]]])
    known = found.fit_.predict(with_ones(new))
    assert np.all(known[:20][X[:20, 0] == 1] == 1.0)
    assert known[-3:-1].tolist() == [1.0, 0.0] and 0 < known[-1] < 1
    np.testing.assert_allclose(found.predict_proba(new)[:, 1], known, rtol=1e-12)
    decision = found.decision_function(new)
    assert decision[-3] == LARGEST and decision[-2] == -LARGEST
    assert found.predict_log_proba(new)[-2].tolist() == [0.0, -np.inf]


def test_complete_separation_classifies_every_row_and_agrees_with_predict():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((60, 2))
    y = (X[:, 0] + X[:, 1] > 0.1).astype(int)
    found = LogisticClassifier().fit(X, y)
    assert found.score(X, y) == 1.0
    new = 3 * rng.standard_normal((40, 2))
    limit = found.fit_.predict(with_ones(new))
    determined = ~np.isnan(limit)
    assert 20 < np.sum(determined) < 40
    probability = found.predict_proba(new)
    np.testing.assert_array_equal(probability[determined, 1], limit[determined])
    assert set(probability.ravel()) == {0.0, 1.0}  # also where the likelihood leaves it open
    assert cross_val_score(found, X, y, cv=2, scoring="roc_auc").mean() > 0.9


def test_a_row_on_the_boundary_is_even():
    found = LogisticClassifier(fit_intercept=False).fit([[-1, -1], [1, 1], [2, 2.5]], [0, 1, 1])
    np.testing.assert_array_equal(found.predict_proba([[0.0, 0.0]]), [[0.5, 0.5]])


def test_dependent_features_are_left_out_with_a_warning(births):
    X, y = births
    many = np.column_stack([X[:, 0], np.full(189, 7.0), X[:, 1], X[:, 0] - 2 * X[:, 1], X[:, 2]])
    with pytest.warns(UserWarning, match=r"2 of 6 columns are left out.*\(x1, x3\)"):
        found = LogisticClassifier().fit(many, y)
    alone = LogisticClassifier().fit(X, y)
    np.testing.assert_array_equal(found.coef_[0, [0, 2, 4]], alone.coef_[0])
    np.testing.assert_array_equal(found.coef_[0, [1, 3]], 0.0)
    np.testing.assert_array_equal(found.predict_proba(many), alone.predict_proba(X))
    assert found.fit_.names == ("Intercept", "x0", "x2", "x4")
    LogisticClassifier("ridge").fit(many[:, [0, 2, 3, 4]], y)  # a prior settles it: no warning
    with pytest.raises(ValueError, match="a feature that is not 0 everywhere"):
        LogisticClassifier(fit_intercept=False).fit(np.zeros((4, 2)), [0, 1, 0, 1])


def test_independent_columns_whatever_their_units():
    rng = np.random.default_rng(5)
    X = rng.standard_normal((30, 4)) * [1e200, 1e-200, 1.0, 1e8] + [0.0, 0.0, 1e6, 0.0]
    extra = np.column_stack([X, np.zeros(30), X[:, 0] / 3, np.ones(30), 2 * X[:, 2] - 5])
    assert independent(extra).tolist() == [0, 1, 2, 3, 6]


def test_in_a_pipeline_and_a_search(births):
    X, y = births
    pipeline = make_pipeline(StandardScaler(), LogisticClassifier())
    search = GridSearchCV(
        pipeline, {"logisticclassifier__penalty": [None, "firth", "ridge"]}, cv=3,
        scoring="neg_log_loss",
    ).fit(X, y)  # fmt: skip
    assert np.all(np.isfinite(search.cv_results_["mean_test_score"]))
    scaled = search.best_estimator_[0].transform(X)
    best = search.best_params_["logisticclassifier__penalty"]
    expected = jl.fit(with_ones(scaled), y, penalty=best).coef[1:]
    np.testing.assert_array_equal(search.best_estimator_[1].coef_[0], expected)
    copy = clone(LogisticClassifier(jl.penalties.Firth(strength=0.25)))
    assert copy.penalty == jl.penalties.Firth(strength=0.25)
    assert copy.set_params(solver="lbfgs", penalty=None).solver == "lbfgs"


@pytest.mark.parametrize("penalty", [None, "logf"])
def test_classifiers_and_fits_survive_pickling(cancer, penalty):
    found = LogisticClassifier(penalty).fit(*cancer)
    ends = found.fit_.confint(contrasts="x0")
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.predict_proba(cancer[0]), found.predict_proba(cancer[0]))
    np.testing.assert_array_equal(again.fit_.coef, found.fit_.coef)
    assert not again.fit_.coef.flags.writeable
    new = again.fit_.confint(contrasts="x0")
    np.testing.assert_array_equal([new.lower, new.upper], [ends.lower, ends.upper])


def test_refusals_are_clear(births):
    X, y = births
    with pytest.raises(ValueError, match=r"Only binary.*multiclass"):
        LogisticClassifier().fit(X, np.arange(189) % 3)
    with pytest.raises(ValueError, match=r"two classes among the rows that count: found 1 class,"):
        LogisticClassifier().fit(X, y, sample_weight=y)
    with pytest.raises(ValueError, match=r"penalty must .*did you mean 'firth'"):
        LogisticClassifier("frith").fit(X, y)


def test_feature_names(births):
    pd = pytest.importorskip("pandas")
    X, y = births
    found = LogisticClassifier().fit(pd.DataFrame(X, columns=["Intercept", "lwt", "smoke"]), y)
    assert found.feature_names_in_.tolist() == ["Intercept", "lwt", "smoke"]
    assert found.fit_.names == ("(Intercept)", "Intercept", "lwt", "smoke")


def test_without_scikit_learn_the_extra_is_named():
    code = "import sys; sys.modules['sklearn'] = None\nimport jaxlogit.sklearn"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "pip install 'jaxlogit-inference[sklearn]'" in run.stderr.splitlines()[-1]
