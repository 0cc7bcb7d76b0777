"""Many models: the only room that knows there is more than one.

A task is a function of one model. `run` makes it many: it cuts the models into blocks whose
row arrays stay in cache, pads the last block so that each size compiles once, feeds the
blocks to the device from one thread per core (XLA's own threading hardly helps arrays this
small) or to all local devices in turn, and gathers NumPy results. Beside the results, memory
is that of a few blocks, whatever the number of models.
"""

import math
import threading
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxlogit import forms, memory
from jaxlogit.cores import n_threads, spread

BLOCK_ELEMENTS = 1 << 17  # numbers in one row array of a block: it fits a core's cache
ACCELERATOR_ELEMENTS = 1 << 27
BLOCK_ARRAYS = 5  # row arrays that a block holds while it runs: 1 to 4.3 by XLA's own account
EXHAUSTED = "RESOURCE_EXHAUSTED"  # XLA's word for a device without memory
LARGEST_BLOCK = 4096
SMALL_BLOCKS = (1, 16, 272)  # few sizes, so that few shapes are compiled
CAREFUL_BLOCK = 16  # searches: a block runs as long as its slowest; padding is searched too
MANY_BLOCKS = 6
WINDOWS = 4  # in a block whose slow searches are put together: see `core.windows`
LEAST_BLOCKS = 3
# The work of so few models with so few numbers in their row arrays takes some hundredths of a
# second however it is compiled, and compiling it well takes seconds. What is left of many models
# may come again and again: it is compiled well after so many times.
FEW_MODELS = 16
SMALL_WORK = 1 << 18
QUICK_USES = 16
REGISTER = 16  # numbers in single precision in the widest vector registers
ALIAS = 256  # numbers: rows that are a multiple of it apart share lines of the first cache


def block_size(
    n_models: int, row_elements: int, part: bool = False, searches: int = 1, careful: bool = False
) -> int:
    """Models per block, where one search's row arrays hold `row_elements` numbers.

    A model makes `searches` of them at a time. With `part` the models are some of a larger
    batch: nothing is compiled for just one of them. A `careful` task, without vectors over models
    to gain from, has small blocks on the CPU.
    """
    on_cpu = jax.default_backend() == "cpu"
    budget = BLOCK_ELEMENTS if on_cpu else _accelerator_budget()
    largest = max(1, budget // max(1, row_elements * searches))
    if on_cpu:
        largest = min(largest, LARGEST_BLOCK)
    if careful and on_cpu and (part or n_models > 1):
        return min(largest, max(1, CAREFUL_BLOCK // searches))
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


def windows(n_models: int, size: int) -> int:
    """How many times `size` a block of searches may be, see `core.windows`; 0: without windows.

    So that enough blocks are left for the cores. One or `WINDOWS`, since each other number would be
    a program more. A loop with windows takes longer to compile.
    """
    if jax.default_backend() != "cpu" or forms.in_a_hurry():
        return 0
    return WINDOWS if n_models >= LEAST_BLOCKS * WINDOWS * size else 1


def _suited(largest: int, searches: int) -> int:
    """The largest number of models, down to three quarters, whose searches suit the processor.

    They are the last axis of every array: whole vector registers; and where they were a multiple
    of a power of two, rows would fall on the same lines of the cache and drive each other out.
    """
    for size in range(largest, 3 * largest // 4, -1):
        if size * searches % REGISTER == 0 and size * searches % ALIAS:
            return size
    return largest


_compiled = forms.Forms()


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
    careful: bool = False,
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
    careful : bool
        Some models take much longer than others: small blocks, see `block_size`.

    Returns
    -------
    pytree of NumPy arrays
        The task's results with the models as leading axis.

    Raises
    ------
    MemoryError
        The results do not fit in what is free, or one model alone does not. A block that does
        not fit is halved.

    Notes
    -----
    Few models with little data are compiled quickly rather than well, unless `forms.hurried`
    says otherwise.
    """
    count = n_models if index is None else len(index)
    size = size or block_size(count, row_elements, part or index is not None, searches, careful)
    key = tuple(sorted(options.items()))
    shapes = _shapes(lanes, shared)
    small = count <= FEW_MODELS and count * row_elements * searches <= SMALL_WORK
    some = part or count < n_models
    quick_uses = forms.quick_uses((QUICK_USES if some else math.inf) if small else 0)
    if quick_uses:
        size = _compiled.at_least(size, task, key, shapes)
    size = _compiled.at_most(size, task, key, shapes)
    while True:
        form = _compiled(task, key, (size, *shapes), quick_uses)
        job = _Job(form, lanes, shared, index, count, size)
        if job.most() < size:
            size = _compiled.cut(size, int(job.most()), task, key, shapes)
            continue
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

    def __init__(self, form: forms.Form, lanes, shared, index, count: int, size: int):
        self.form, self.lanes, self.index = form, lanes, index
        self.count, self.size = count, size
        self.starts = range(0, max(count, 1), size)
        self.devices = jax.local_devices()[: len(self.starts)]
        with forms.exactly():
            self.copies = [jax.device_put(shared, device) for device in self.devices]
        self.out: list = []
        self.making_room = threading.Lock()

    def most(self) -> float:
        """Models that a block may have, as the task's trace says: the first call traces."""
        if not self.form.ready and self.form.most == math.inf:
            with forms.exactly(), jax.default_device(self.devices[0]), forms.uncollected:
                self.form.prepare(self.piece(0), self.copies[0])
        return self.form.most

    def piece(self, number: int):
        """What the models of a block have of their own."""
        start, stop = self.starts[number], min(self.starts[number] + self.size, self.count)
        return _slice(self.lanes, self.index, start, stop, self.size)

    def run(self, block_bytes: int) -> Any:
        """The results; `block_bytes` is what one block takes on its device while it runs."""
        alone = 0 if self.form.ready else 1
        if alone:  # so that it is compiled once, whichever threads ask
            with self.form.first, forms.uncollected:
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
        with forms.exactly(), jax.default_device(self.devices[which]):
            piece = self.piece(number)
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
