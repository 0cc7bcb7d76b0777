"""What is computed: chunks of replicates, here or on many machines, and which are still missing."""
