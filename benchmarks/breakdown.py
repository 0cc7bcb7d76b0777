"""Where the time of a call goes: every operation of the compiled programs, by its kind.

One core and one thread, so that nothing overlaps. Shares come from XLA's own record of a few
calls, the time they are shares of from calls without a record.
"""

import os
import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import jax

from benchmarks.workloads import Workload, answer, make
from jaxlogit import batch, forms

CALLS = 5
KINDS = {
    "products": "dot ynn",
    "exponentials": "exponential logistic log log-plus-one tanh",
    "systems": "divide sqrt rsqrt cholesky triangular-solve custom-call",
}
"""Operations that give a fused loop its kind, the first that has any; what is left is sums and
products by row where an array of it has the rows as an axis, else part of the systems."""
COPIES = set("parameter constant bitcast copy transpose broadcast convert reshape tuple slice pad "
             "concatenate select get-tuple-element iota dynamic-slice".split())  # fmt: skip
INSIDE = ("while", "conditional", "call")
"""Operations whose time is that of others inside them."""
ROWS = ("products", "exponentials", "rows", "systems", "copies", "control", "transfer", "Python")
INSTRUCTION = re.compile(r"^\s*(?:ROOT )?%?([\w.-]+) = (\(.*?\)|\S+) ([\w-]+)\(")
COMPUTATION = re.compile(r"^(?:ENTRY )?%?([\w.-]+) \(.*\{$")


def measure(workload: Workload) -> dict:
    """Microseconds of one core for a model, in all and by kind."""
    if hasattr(os, "sched_setaffinity"):  # before XLA makes its threads
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    os.environ["JAXLOGIT_NUM_THREADS"] = "1"
    watch = Watch(workload.n_rows)
    data = make(workload)
    answer(workload, data)  # compiles
    whole = statistics.median(_seconds(workload, data) for _ in range(CALLS))
    watch.reset()
    options = jax.profiler.ProfileOptions()
    options.python_tracer_level = 0
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder, profiler_options=options):
            recorded = sum(_seconds(workload, data) for _ in range(CALLS))
        (file,) = Path(folder).rglob("*.xplane.pb")
        found = dict.fromkeys(ROWS, 0.0) | watch.kinds(file)
    found["control"] = watch.calls - sum(found.values())
    found["transfer"] += watch.blocks - watch.calls
    found["Python"] = recorded - watch.blocks
    unit = 1e6 * whole / workload.n_models / recorded
    return {
        "name": workload.name,
        "us_per_model": 1e6 * whole / workload.n_models,
        "parts_us": {kind: max(0.0, seconds) * unit for kind, seconds in found.items()},
    }


def _seconds(workload: Workload, data) -> float:
    begun = time.perf_counter()
    answer(workload, data)
    return time.perf_counter() - begun


class Watch:
    """Keeps every compiled program's text, and the time spent in blocks and in their programs."""

    def __init__(self, n_rows: int):
        self.programs: dict[str, dict[str, str]] = {}
        self.calls = self.blocks = 0.0
        prepare, block = forms.Form.prepare, batch._Job.block

        def prepared(form, lanes, shared):
            prepare(form, lanes, shared)

            def program(lanes, shared):
                return form.many(lanes, shared)

            program.__name__ = f"program{len(self.programs)}"
            made = jax.jit(program, compiler_options=form.options).lower(lanes, shared).compile()
            self.programs[f"jit_{program.__name__}"] = dict(
                operations(made.as_text() or "", n_rows)
            )

            def call(lanes, shared):
                begun = time.perf_counter()
                result = jax.block_until_ready(made(lanes, shared))
                self.calls += time.perf_counter() - begun
                return result

            form.call = call

        def watched(job, number):
            begun = time.perf_counter()
            block(job, number)
            self.blocks += time.perf_counter() - begun

        forms.Form.prepare, batch._Job.block = prepared, watched

    def reset(self) -> None:
        """Begin to count."""
        self.calls = self.blocks = 0.0

    def kinds(self, file: Path) -> dict[str, float]:
        """Seconds by kind in a record."""
        found = dict.fromkeys(ROWS, 0.0)
        for plane in jax.profiler.ProfileData.from_file(str(file)).planes:
            for line in plane.lines:
                for event in line.events:
                    if event.name == "DevicePut":
                        found["transfer"] += 1e-9 * event.duration_ns
                    about = dict(event.stats)
                    kind = self.programs.get(about.get("hlo_module", ""), {}).get(event.name)
                    if kind:
                        found[kind] += 1e-9 * event.duration_ns
        return found


def operations(text: str, n_rows: int) -> Iterator[tuple[str, str]]:
    """Every operation of a compiled program with its kind."""
    inside: dict[str, set[str]] = {}
    where = ""
    lines = text.splitlines()
    for line in lines:
        if head := COMPUTATION.match(line):
            where = head[1]
        elif made := INSTRUCTION.match(line):
            inside.setdefault(where, set()).add(made[3])
    for line in lines:
        made = INSTRUCTION.match(line)
        if not made or made[3] in INSIDE:
            continue
        called = re.search(r"calls=%?([\w.-]+)", line)
        done = inside.get(called[1], set()) if called else {made[3]}
        yield made[1], _kind(made[1], done, line, n_rows)


def _kind(name: str, done: set[str], line: str, n_rows: int) -> str:
    for kind, some in KINDS.items():
        if not done.isdisjoint(some.split()) or name.split("_")[0] in some.split():
            return kind
    if done <= COPIES:
        return "copies"
    return "rows" if re.search(rf"[\[,]{n_rows}[\],]", line) else "systems"


def table(results: list[dict]) -> str:
    """A row for each workload, in microseconds of one core for a model."""
    rows = [f"{'µs of one core':<26}{'all':>8}" + "".join(f"{kind:>13}" for kind in ROWS)]
    for result in results:
        parts = (f"{result['parts_us'][kind]:>13.3g}" for kind in ROWS)
        rows.append(f"{result['name']:<26}{result['us_per_model']:>8.3g}" + "".join(parts))
    return "\n".join(rows)
