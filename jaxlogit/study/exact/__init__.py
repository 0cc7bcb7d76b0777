"""A study without Monte Carlo error: every outcome enumerated, fitted and weighted."""
