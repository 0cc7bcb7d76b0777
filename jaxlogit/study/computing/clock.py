"""Time that a run may take: it ends before a chunk that would not fit."""

import re
import time
from collections import deque
from dataclasses import dataclass, field

UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}

RECENT = 3
"""Chunks whose longest is the estimate of the next: so many that one fast one does not mislead."""


@dataclass
class Clock:
    """Seconds left, and how long chunks take.

    Attributes
    ----------
    max_time : float or None
        Seconds from now; None without a limit.
    stopped : bool
        Whether a chunk was not begun, or not waited for, for want of time.
    """

    max_time: float | None = None
    stopped: bool = False
    started: float = field(default_factory=time.monotonic)
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))

    @property
    def left(self) -> float | None:
        """Seconds left, not below 0; None without a limit."""
        if self.max_time is None:
            return None
        return max(0.0, self.started + self.max_time - time.monotonic())

    def fits(self) -> bool:
        """Whether a chunk begun now would end in time, by what the last few took.

        The first chunk of all fits as long as any time is left.
        """
        left = self.left
        if left is not None and (left == 0 or left < max(self.recent, default=0.0)):
            self.stopped = True
        return not self.stopped

    def add(self, seconds: float) -> None:
        """Note what a chunk took."""
        self.recent.append(seconds)


def seconds(text: str) -> float:
    """Seconds of a duration in words.

    Raises
    ------
    ValueError
        Neither a number of seconds nor numbers with units d, h, m, s.

    Examples
    --------
    >>> seconds("2h30m"), seconds("45s"), seconds("600")
    (9000.0, 45.0, 600.0)
    """
    number = r"\d+(?:\.\d+)?"
    if re.fullmatch(number, text):
        return float(text)
    if text and re.fullmatch("".join(f"(?:{number}{unit})?" for unit in UNITS), text):
        found = re.findall(rf"({number})(.)", text)
        return sum(float(value) * UNITS[unit] for value, unit in found)
    raise ValueError(f'max-time must be a duration such as "2h30m" or "45s": found {text!r}')
