"""Settings of the whole suite: JAX on the CPU at its strictest, hypothesis without chance."""

import atexit
import os
import shutil
import tempfile
from importlib.metadata import version

os.environ["JAX_PLATFORMS"] = "cpu"
# Most of the time is compilation: what one process has compiled, its workers and the commands
# that tests start take from a folder of this run alone.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="jaxlogit-compiled-")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.2"
    atexit.register(shutil.rmtree, os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)

# Most tests fit a handful of models once: compiling them well takes three times as long as the
# rest. Numbers against independent sources are also checked as users have them compiled, by
# `XLA_FLAGS= pytest`, see CONTRIBUTING.md.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0"
    # XLA ends a process that asks for an option it does not have.
    + (" --xla_cpu_use_fusion_emitters=false" if version("jaxlib") < "0.11" else ""),
)

import jax
import pytest
from hypothesis import settings

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")

# The same examples in every run, none remembered from an earlier one; compilation takes what it
# takes, so no single example has a deadline.
settings.register_profile("deterministic", derandomize=True, deadline=None, database=None)
settings.load_profile("deterministic")

# With `XLA_FLAGS=` what stands against independent sources is to be compiled well, as batches are.
if not os.environ["XLA_FLAGS"]:
    from jaxlogit import batch

    batch.FEW_MODELS = 0


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--without", metavar="PATHS", help="turn fast paths off, see tests/paths.py")


def pytest_configure(config: pytest.Config) -> None:
    names = config.getoption("--without")
    if names:
        import paths

        for module, constant, value in paths.changes(names):
            setattr(module, constant, value)
