"""What is measured: performance measures with Monte Carlo errors, from arrays and plain tables."""
