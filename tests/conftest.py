"""Settings of the whole suite: JAX on the CPU at its strictest, hypothesis without chance."""

import os

os.environ["JAX_PLATFORMS"] = "cpu"

import jax
from hypothesis import settings

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")

# The same examples in every run, none remembered from an earlier one; compilation takes what it
# takes, so no single example has a deadline.
settings.register_profile("deterministic", derandomize=True, deadline=None, database=None)
settings.load_profile("deterministic")
