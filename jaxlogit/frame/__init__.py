"""Data frames and formulas: from a table and one line of text to arrays and names."""

from jaxlogit.frame.design import Design, design, subset
from jaxlogit.frame.read import read_table

__all__ = ["Design", "design", "read_table", "subset"]
