"""A study in words: methods, measures, the policy on failures; and text made safe for a format."""

import re

ESTIMATORS = {
    "ml": "maximum likelihood",
    "firth": "Firth's penalised likelihood (Firth 1993, doi:10.1093/biomet/80.1.27)",
    "bootstrap": "bootstrap of the maximum-likelihood estimate",
    "firth-bootstrap": "bootstrap of Firth's estimate",
}

KINDS = {
    "wald": "Wald: the estimate plus and minus a normal quantile times its standard error",
    "lr": "profile likelihood: the values that the likelihood-ratio test does not reject; ends may "
    "be infinite",
    "score": "score: the values that Rao's score test does not reject; ends may be infinite",
    "rstar": "modified signed root r* (Barndorff-Nielsen 1986, doi:10.1093/biomet/73.2.307)",
    "normal": "normal: bootstrap bias and standard error",
    "basic": "basic: quantiles of the bootstrap errors",
    "percentile": "percentile: quantiles of the replicates",
    "studentized": "studentized: quantiles of the bootstrap t-statistics",
    "bca": "BCa: percentiles corrected for bias and acceleration (Efron 1987, "
    "doi:10.1080/01621459.1987.10478410)",
}

# Name, definition, Monte Carlo standard error. d: estimate − truth; V: squared model standard
# error; s: standard deviation of the estimates; n: replicates in which the measure is defined.
MEASURES = (
    ("bias", "mean of d", "s/√n"),
    ("empirical SE", "s, the standard deviation of the estimates", "s/√(2(n − 1))"),
    ("mean squared error", "mean of d²", "sd(d²)/√n"),
    ("model SE", "ModSE = √(mean of V)", "√(var(V)/(4n ModSE²))"),
    (
        "relative error of the model SE, %", "100 (ModSE/s − 1)",
        "100 (ModSE/s) √(var(V)/(4n ModSE⁴) + 1/(2(n − 1)))",
    ),
    ("coverage C", "share of lower ≤ truth ≤ upper", "√(C(1 − C)/n); Wilson's interval beside it"),
    ("bias-eliminated coverage B", "share of lower ≤ mean estimate ≤ upper", "√(B(1 − B)/n)"),
    ("missed low", "share of truth < lower", "√(L(1 − L)/n)"),
    ("missed high", "share of truth > upper", "√(H(1 − H)/n)"),
    ("rejection rate R", "share in which the null value is rejected", "√(R(1 − R)/n)"),
    ("width", "mean of upper − lower; the median where some are infinite", "sd/√n"),
    (
        "difference of two methods",
        "mean of the differences on the data sets in which both are defined", "sd of them/√n",
    ),
)  # fmt: skip

POLICY = (
    "No replicate is dropped, drawn again or replaced. Where the data are separated the "
    "maximum-likelihood estimate is infinite: likelihood-ratio, score and penalised intervals are "
    "still defined, if need be with an infinite end, and count like any other; a Wald interval is "
    "not defined. Coverage, misses and width of a method are over the replicates in which it is "
    "defined, with their number; two bounds, counting every undefined interval as a miss and as a "
    "hit, stand beside each coverage that leaves replicates out. Bias and standard errors are over "
    "the replicates with a finite estimate. The status of every interval is counted and reported."
)

_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
}  # fmt: skip


def method_words(method: str) -> str:
    """What a method is: its estimator and its kind of interval."""
    estimator, _, kind = method.partition(":")
    return f"{ESTIMATORS.get(estimator, estimator)}; {KINDS.get(kind, kind)}"


def markdown(text: str) -> str:
    r"""Text whose characters mean nothing in Markdown.

    Examples
    --------
    >>> print(markdown("a|b*c"))
    a\|b\*c
    """
    # An underscore within a word is text; at its edge it would be emphasis.
    escaped = re.sub(r"([\\`*|<>#])", r"\\\1", text)
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", escaped)


def latex(text: str) -> str:
    r"""Text whose characters mean nothing in LaTeX.

    Examples
    --------
    >>> print(latex("50% of a_b"))
    50\% of a\_b
    """
    return "".join(_LATEX.get(character, character) for character in text)


def listed(words: list[str]) -> str:
    """a, b and c."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
