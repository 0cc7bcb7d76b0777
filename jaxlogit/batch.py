"""Many models: the only room that knows there is more than one.

A task is a function of one model. `run` makes it many: it cuts the models into blocks whose
row arrays stay in cache, pads the last block so that each size compiles once, feeds the
blocks to the device from one thread per core (XLA's own threading hardly helps arrays this
small) or to all local devices in turn, and gathers NumPy results. Beside the results, memory
is that of a few blocks, whatever the number of models.
"""

import gc
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

import jax
import numpy as np

from jaxlogit import memory
from jaxlogit.cores import n_threads, spread

BLOCK_ELEMENTS = 1 << 17  # numbers in one row array of a block: it fits a core's cache
ACCELERATOR_ELEMENTS = 1 << 27
BLOCK_ARRAYS = 5  # row arrays that a block holds while it runs: 1 to 4.3 by XLA's own account
EXHAUSTED = "RESOURCE_EXHAUSTED"  # XLA's word for a device without memory
LARGEST_BLOCK = 4096
SMALL_BLOCKS = (1, 16, 272)  # few sizes, so that few shapes are compiled
MANY_BLOCKS = 6
REGISTER = 16  # numbers in single precision in the widest vector registers
ALIAS = 256  # numbers: rows that are a multiple of it apart share lines of the first cache
LAPACK = set("cholesky eigh geqrf householder_product lu qr svd triangular_solve".split())
CPU_OPTIONS = {"xla_cpu_prefer_vector_width": 512}  # where there are such registers; XLA's is 256
# Half the time to compile; loops over rows then take two to six times as long.
HURRIED: dict[str, int | bool] = {"xla_backend_optimization_level": 0}
if jax.__version_info__ < (0, 11):  # XLA has no such option later
    HURRIED["xla_cpu_use_fusion_emitters"] = False
IN_ORDER = {"xla_cpu_multi_thread_eigen": False}
MOST_COMPILED = 48  # kept at a time; a study's cell with every method needs about 30


def block_size(n_models: int, row_elements: int, part: bool = False, searches: int = 1) -> int:
    """Models per block, where one search's row arrays hold `row_elements` numbers.

    A model makes `searches` of them at a time. With `part` the models are some of a larger
    batch: nothing is compiled for just one of them.
    """
    on_cpu = jax.default_backend() == "cpu"
    budget = BLOCK_ELEMENTS if on_cpu else _accelerator_budget()
    largest = max(1, budget // max(1, row_elements * searches))
    if on_cpu:
        largest = min(largest, LARGEST_BLOCK)
    for size in SMALL_BLOCKS:
        if n_models <= size < largest and not (part and size == 1):
            return size
    if not on_cpu:
        return largest
    few = n_models < MANY_BLOCKS * largest  # large blocks would leave cores with nothing to do
    return _suited(max(1, largest // 3) if few else largest, searches)


def _accelerator_budget() -> int:
    """Numbers in a row array that fit an accelerator; powers of two, so that few sizes compile."""
    left = memory.free(jax.local_devices()[0])
    if left is None:
        return ACCELERATOR_ELEMENTS
    return min(ACCELERATOR_ELEMENTS, 1 << max(0, (left // (8 * BLOCK_ARRAYS)).bit_length() - 1))


def _suited(largest: int, searches: int) -> int:
    """The largest number of models, down to three quarters, whose searches suit the processor.

    They are the last axis of every array: whole vector registers; and where they were a multiple
    of a power of two, rows would fall on the same lines of the cache and drive each other out.
    """
    for size in range(largest, 3 * largest // 4, -1):
        if size * searches % REGISTER == 0 and size * searches % ALIAS:
            return size
    return largest


class _Form:
    """A task over a batch, whether it was compiled, and whether its blocks take turns.

    On the CPU XLA's LAPACK routines share a batch among the threads that also run whole blocks
    and operations: two that wait for each other's threads wait for ever. So blocks of a task
    with such routines take turns, also those of calls from other threads, and their operations
    are compiled to follow one another.
    """

    def __init__(self, task: Callable, options: tuple):
        def many(lanes, shared):
            return jax.vmap(lambda lane: task(lane, shared, **dict(options)))(lanes)

        self.on_cpu = jax.default_backend() == "cpu"
        self.many = many
        self.options = CPU_OPTIONS | (HURRIED if _in_a_hurry.get() else {}) if self.on_cpu else {}
        self.call = jax.jit(many, compiler_options=self.options)
        self.ready = False
        self.turns: AbstractContextManager = nullcontext()

    def prepare(self, lanes, shared) -> None:
        """Look for LAPACK's routines; JAX keeps the trace for the call that follows."""
        operations = _primitives(self.call.trace(lanes, shared).jaxpr)
        if self.on_cpu and not LAPACK.isdisjoint(operations):
            self.turns = _turns
            self.call = jax.jit(self.many, compiler_options=self.options | IN_ORDER)


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


def _primitives(jaxpr) -> Iterator[str]:
    """Names of all operations of a traced function, those of loops and branches among them."""
    for equation in jaxpr.eqns:
        yield equation.primitive.name
        for value in jax.tree.leaves(tuple(equation.params.values())):
            inner = getattr(value, "jaxpr", value)
            if hasattr(inner, "eqns"):
                yield from _primitives(inner)


class _Compiled:
    """The compiled forms of tasks, one for each task, options and shapes, the latest few.

    Each holds hundreds of the memory mappings that a process may have (65,530 under Linux), and
    one that has no more of them is ended by the operating system: a loop over a few hundred data
    sets of different lengths would be.
    """

    def __init__(self):
        self._forms: OrderedDict = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, task: Callable, options: tuple, shapes: tuple) -> "_Form":
        """`task` over a leading axis of `lanes`, with `shared` common to all."""
        key = (task, options, shapes, _in_a_hurry.get())
        with self._lock:
            if key not in self._forms:
                self._forms[key] = _Form(task, options)
            self._forms.move_to_end(key)
            while len(self._forms) > MOST_COMPILED:
                self._forms.popitem(last=False)[1].call.clear_cache()
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

    def __len__(self) -> int:
        return len(self._forms)


_compiled = _Compiled()
_turns = threading.Lock()
_uncollected = _Uncollected()
_in_a_hurry = ContextVar("_in_a_hurry", default=False)


@contextmanager
def hurried() -> Iterator[None]:
    """Compile what runs inside quickly rather than well: for work that takes less than that."""
    before = _in_a_hurry.set(True)
    try:
        yield
    finally:
        _in_a_hurry.reset(before)


def run(
    task: Callable,
    n_models: int,
    lanes: Any,
    shared: Any,
    *,
    row_elements: int,
    index: np.ndarray | None = None,
    size: int | None = None,
    part: bool = False,
    searches: int = 1,
    **options,
) -> Any:
    """Apply `task(lane, shared, **options)` to every model, or to those in `index`.

    Parameters
    ----------
    task : callable
        A module-level function of one model, pure JAX.
    n_models : int
        Length of the leading axis of every array in `lanes`.
    lanes : pytree of NumPy arrays
        What differs between models.
    shared : pytree of arrays
        What they have in common.
    row_elements : int
        Numbers in one row array of one search: it sets the block size.
    index : (k,) int array, optional
        Run only these models, in this order.
    size : int, optional
        Models per block, where a shape already compiled is to be used again.
    part : bool
        Whether the models are some of a larger batch, as they are with `index`.
    searches : int
        What a model's task does at a time: it scales the block.

    Returns
    -------
    pytree of NumPy arrays
        The task's results with the models as leading axis.

    Raises
    ------
    MemoryError
        The results do not fit in what is free, or one model alone does not. A block that does
        not fit is halved.
    """
    count = n_models if index is None else len(index)
    size = size or block_size(count, row_elements, part or index is not None, searches)
    key = tuple(sorted(options.items()))
    shapes = _shapes(lanes, shared)
    if _in_a_hurry.get():
        size = _compiled.at_least(size, task, key, shapes)
    while True:
        form = _compiled(task, key, (size, *shapes))
        job = _Job(form, lanes, shared, index, count, size)
        try:
            return job.run(8 * BLOCK_ARRAYS * size * row_elements * searches)
        except jax.errors.JaxRuntimeError as error:
            if EXHAUSTED not in str(error):
                raise
            if size == 1:
                raise MemoryError(f"one model does not fit in memory: {error}") from error
        size = -(-size // 2)


class _Job:
    """One pass of a compiled task over all models, in blocks of one size."""

    def __init__(self, form: _Form, lanes, shared, index, count: int, size: int):
        self.form, self.lanes, self.index = form, lanes, index
        self.count, self.size = count, size
        self.starts = range(0, max(count, 1), size)
        self.devices = jax.local_devices()[: len(self.starts)]
        with jax.enable_x64(True):
            self.copies = [jax.device_put(shared, device) for device in self.devices]
        self.out: list = []
        self.making_room = threading.Lock()

    def run(self, block_bytes: int) -> Any:
        """The results; `block_bytes` is what one block takes on its device while it runs."""
        alone = 0 if self.form.ready else 1
        if alone:  # so that it is compiled once
            with _uncollected:
                self.block(0)
            self.form.ready = True
        rest = range(alone, len(self.starts))
        spread(self.block, rest, self.workers(block_bytes) if len(rest) > 1 else 1)
        return jax.tree.unflatten(*self.out)

    def workers(self, block_bytes: int) -> int:
        """Threads that feed blocks: one for each device but the CPU, which has its cores."""
        if self.devices[0].platform != "cpu":
            return len(self.devices)
        # One more thread than cores computes while another copies; one was asked for as one.
        cores = n_threads()
        wanted = max(cores + 1 if cores > 1 else 1, len(self.devices))
        left = memory.free() if block_bytes > memory.WORTH_ASKING else None
        return wanted if left is None else int(np.clip(left // block_bytes, 1, wanted))

    def block(self, number: int) -> None:
        """Run one block, and put what it gives in its place."""
        start, stop = self.starts[number], min(self.starts[number] + self.size, self.count)
        which = number % len(self.devices)
        with jax.enable_x64(True), jax.default_device(self.devices[which]):
            piece = _slice(self.lanes, self.index, start, stop, self.size)
            if not self.form.ready:
                self.form.prepare(piece, self.copies[which])
            with self.form.turns:
                result = jax.block_until_ready(self.form.call(piece, self.copies[which]))
            leaves, structure = jax.tree.flatten(result)
            with self.making_room:
                if not self.out:
                    self.out.extend((structure, self.room(leaves)))
            for whole, leaf in zip(self.out[1], leaves, strict=True):
                whole[start:stop] = np.asarray(leaf)[: stop - start]

    def room(self, leaves) -> list[np.ndarray]:
        """Empty arrays for the results of all models, if there is memory for them."""
        shapes = [((self.count, *leaf.shape[1:]), leaf.dtype) for leaf in leaves]
        needed = sum(math.prod(shape) * dtype.itemsize for shape, dtype in shapes)
        memory.demand(needed, f"results of {self.count:,} models")
        return [np.empty(shape, dtype) for shape, dtype in shapes]


def _shapes(lanes, shared) -> tuple:
    """What a compiled form depends on beside the block's size."""
    own, structure = jax.tree.flatten(lanes)
    common, common_structure = jax.tree.flatten(shared)
    return (
        structure,
        common_structure,
        *((leaf.shape[1:], leaf.dtype) for leaf in own),
        *((np.shape(leaf), np.asarray(leaf).dtype) for leaf in common),
    )


def _slice(lanes, index, start: int, stop: int, size: int):
    """Models start..stop of every array, padded to `size` by repeating the last one."""

    def cut(array):
        piece = array[start:stop] if index is None else array[index[start:stop]]
        if stop - start < size:
            padding = np.broadcast_to(piece[-1:], (size - (stop - start), *piece.shape[1:]))
            piece = np.concatenate([piece, padding])
        return piece

    return jax.tree.map(cut, lanes)
