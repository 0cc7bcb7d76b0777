"""Compiled forms of tasks: how XLA compiles them, which are kept, which have to take turns."""

import gc
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

import jax
import jaxlib.version

from jaxlogit.core import traced

LAPACK = set("cholesky eigh geqrf householder_product lu qr svd triangular_solve".split())
# Until jaxlib 0.11.2 LAPACK's routines share a batch from this many operations on among the threads
# that also run them: as many as there are threads, side by side, wait for each other for ever.
SHARED_WORK = 200_000 if jaxlib.version.__version_info__ < (0, 11, 2) else math.inf
CPU_OPTIONS = {"xla_cpu_prefer_vector_width": 512}  # where there are such registers; XLA's is 256
# Half the time to compile; loops over rows then take two to six times as long.
HURRIED: dict[str, int | bool] = {"xla_backend_optimization_level": 0}
if jax.__version_info__ < (0, 11):  # XLA has no such option later
    HURRIED["xla_cpu_use_fusion_emitters"] = False
# Nothing else of a block with LAPACK's routines asks for threads that others may hold.
IN_ORDER = {"xla_cpu_multi_thread_eigen": False}
MOST_COMPILED = 48  # kept at a time; a study's cell with every method needs about 30
MOST_KNOWN = 1000  # tasks whose blocks are known to be cut


class Form:
    """A task over a batch, whether it was compiled, how large its blocks may be, and their turns.

    On the CPU LAPACK's routines may share a batch among the threads that also run whole blocks and
    operations (see `SHARED_WORK`). Blocks of a task with such routines are kept so small that each
    routine stays in its thread; where one model alone has too large a batch they take turns, also
    with those of calls from other threads.
    """

    def __init__(self, task: Callable, options: tuple, hurried: bool):
        def many(lanes, shared):
            return jax.vmap(lambda lane: task(lane, shared, **dict(options)))(lanes)

        self.on_cpu = jax.default_backend() == "cpu"
        self.many = many
        self.options = CPU_OPTIONS | (HURRIED if hurried else {}) if self.on_cpu else {}
        self.call = jax.jit(many, compiler_options=self.options)
        self.ready = False
        self.first = threading.Lock()
        self.uses = 0
        self.most = math.inf
        """Models that a block may have."""
        self.turns: AbstractContextManager = nullcontext()

    def prepare(self, lanes, shared) -> None:
        """Look for LAPACK's routines; JAX keeps the trace for the call that follows."""
        operations = _operations(self.call.trace(lanes, shared).jaxpr)
        shares = [_share(op) for op in operations if op.primitive.name in LAPACK]
        if not self.on_cpu or not shares:
            return
        size = len(jax.tree.leaves(lanes)[0])
        if max(shares) > 1.0 and size > 1:
            self.most = max(1, int(size / max(shares)))
            return
        if max(shares) > 1.0:
            self.turns = TURNS
        self.call = jax.jit(self.many, compiler_options=self.options | IN_ORDER)


def _share(operation) -> float:
    """The batch of a LAPACK routine over the largest that stays in one thread."""
    *batch, n, columns = operation.invars[-1].aval.shape
    match operation.primitive.name:
        case "triangular_solve":
            cost = n * columns * (n if operation.params["left_side"] else columns)
        case "cholesky":
            cost = n**3 / 3
        case _:
            cost = 10 * n * n * columns
    return math.prod(batch) / max(1.0, SHARED_WORK / cost)


@contextmanager
def exactly() -> Iterator[None]:
    """Double precision, and products of single precision in all of its digits.

    Accelerators otherwise round the factors of these to 10 bits (TF32), and hardly a first step
    in single precision would come near enough for the last one.
    """
    with jax.enable_x64(True), jax.default_matmul_precision("highest"):
        yield


class _Uncollected:
    """No garbage collection meanwhile: a trace is millions of objects in use, and few cycles.

    Looking through them again and again takes a fifth of the time to trace and compile.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._inside = 0
        self._was_on = False

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._was_on = gc.isenabled()
                gc.disable()
            self._inside += 1

    def __exit__(self, *_error) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside and self._was_on:
                gc.enable()


def _operations(jaxpr) -> Iterator[Any]:
    """All operations of a traced function, those of loops and branches among them."""
    for equation in jaxpr.eqns:
        yield equation
        for value in jax.tree.leaves(tuple(equation.params.values())):
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                yield from _operations(inner)


class Forms:
    """The compiled forms of tasks, one for each task, options and shapes, the latest few.

    Each holds hundreds of the memory mappings that a process may have (65,530 under Linux), and
    one that has no more of them is ended by the operating system: a loop over a few hundred data
    sets of different lengths would be.
    """

    def __init__(self):
        self._forms: OrderedDict = OrderedDict()
        self._most: dict = {}
        self._dropped = 0
        self._lock = threading.Lock()

    def __call__(self, task: Callable, options: tuple, shapes: tuple, quick_uses: float) -> "Form":
        """`task` over a leading axis of `lanes`, with `shared` common to all.

        For its first `quick_uses` it is compiled quickly rather than well.
        """
        quick, well = ((task, options, shapes, hurried) for hurried in (True, False))
        with self._lock:
            uses = self._forms[quick].uses if quick in self._forms else 0
            better = well in self._forms and quick_uses < math.inf
            key = well if better or uses >= quick_uses else quick
            if key not in self._forms:
                self._forms[key] = Form(task, options, hurried=key[-1])
            self._forms.move_to_end(key)
            while len(self._forms) > MOST_COMPILED:
                self._forms.popitem(last=False)[1].call.clear_cache()
                self._dropped += 1
                if self._dropped % MOST_COMPILED == 0:
                    traced.forget()
            self._forms[key].uses += 1
            return self._forms[key]

    def at_least(self, size: int, task: Callable, options: tuple, shapes: tuple) -> int:
        """The size of a form made in a hurry that takes blocks of `size`; itself if there is none.

        Padding costs less than compiling another size would.
        """
        with self._lock:
            made = [
                key[2][0] for key in self._forms
                if key[:2] == (task, options) and key[2][1:] == shapes and key[3]
            ]  # fmt: skip
        return min((other for other in made if other >= size), default=size)

    def at_most(self, size: int, task: Callable, options: tuple, shapes: tuple) -> int:
        """The size of blocks that a task may have, as far as it is known: see `cut`."""
        return min(size, self._most.get((task, options, shapes), size))

    def cut(self, size: int, most: int, task: Callable, options: tuple, shapes: tuple) -> int:
        """Note that blocks of a task may have `most` models, and drop its form of `size`.

        It is not compiled, and would take the place of one that is.
        """
        with self._lock:
            for hurried in (True, False):
                self._forms.pop((task, options, (size, *shapes), hurried), None)
            if len(self._most) >= MOST_KNOWN:
                self._most.clear()
            self._most[task, options, shapes] = most
        return most

    def __len__(self) -> int:
        return len(self._forms)


TURNS = threading.Lock()
uncollected = _Uncollected()
_pace: ContextVar[float | None] = ContextVar("_pace", default=None)


@contextmanager
def hurried(wanted: bool = True) -> Iterator[None]:
    """Compile what runs inside quickly, for work that takes less than that; or not `wanted`: well.

    Outside the work decides. Work in parts that must come out the same to the last bit, whatever
    ran before them, decides for itself.
    """
    before = _pace.set(math.inf if wanted else 0)
    try:
        yield
    finally:
        _pace.reset(before)


def in_a_hurry() -> bool:
    """Whether all that is compiled now is compiled quickly."""
    return _pace.get() == math.inf


def quick_uses(otherwise: float) -> float:
    """How often a form may be used that was compiled quickly: as `hurried` says, or otherwise."""
    asked = _pace.get()
    return otherwise if asked is None else asked
