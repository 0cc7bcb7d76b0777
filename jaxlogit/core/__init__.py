"""One model, pure JAX: every function here may be traced, batched and differentiated."""
