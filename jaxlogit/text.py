"""Numbers and tables as text, for a terminal or Markdown."""

import math
from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[str]], markdown: bool = False) -> str:
    """Columns under their headings; those whose every cell starts like a number to the right.

    Examples
    --------
    >>> print(table(["term", "coverage"], [["age", ".9501 (.0007)"], ["x", "n/a"]]))
    term       coverage
    -------------------
    age   .9501 (.0007)
    x               n/a
    """
    columns = list(zip(header, *rows, strict=True))
    numeric = [all(_is_number(cell) for cell in column[1:]) for column in columns]
    widths = [max(len(cell) for cell in column) for column in columns]
    lines = []
    for row in (header, *rows):
        cells = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ]
        lines.append("| " + " | ".join(cells) + " |" if markdown else "  ".join(cells).rstrip())
    rule = "-" * max(len(line) for line in lines)
    if markdown:
        ends = (":" if right else "-" for right in numeric)
        dashes = ("-" * (w - 1) + end for w, end in zip(widths, ends, strict=True))
        rule = "| " + " | ".join(dashes) + " |"
    return "\n".join([lines[0], rule, *lines[1:]])


def _is_number(cell: str) -> bool:
    text = cell.lstrip("-.")
    return text == "" or text[0].isdigit() or text.startswith(("inf", "nan", "n/a"))


def share(value: float, mcse: float | None = None) -> str:
    """A share as .9501 (.0007); n/a where there is nothing to divide."""
    if math.isnan(value):
        return "n/a"
    text = _bare(f"{value:.4f}")
    return text if mcse is None else f"{text} ({_bare(f'{mcse:.4f}')})"


def _bare(text: str) -> str:
    return text[1:] if text.startswith("0.") else text


def number(value: float, mcse: float) -> str:
    """A value as precise as its error's first digit, or two where that is a 1: -0.012 (0.003)."""
    if math.isnan(value):
        return "n/a"
    if not mcse > 0 or math.isinf(value):
        return plain(value)
    digits, _, exponent = f"{mcse:.1e}".partition("e")
    decimals = min(max(digits.startswith("1") - int(exponent), 0), 8)
    return f"{value:.{decimals}f} ({mcse:.{decimals}f})"


def plain(value: float) -> str:
    """Four significant digits."""
    if math.isnan(value):
        return "n/a"
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.3e}"


def p_text(value: float) -> str:
    """A p-value: four decimals, powers of ten below 0.0001."""
    if math.isnan(value):
        return "n/a"
    return f"{value:.4f}" if value >= 1e-4 else f"{value:.1e}"
