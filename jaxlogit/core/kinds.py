"""The one array type of the core: traced inside a task, NumPy before and after it."""

from typing import Any, TypeAlias

Array: TypeAlias = Any
