"""Speed and memory, measured beside other programs on the same data."""
