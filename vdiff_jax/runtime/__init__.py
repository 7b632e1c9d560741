"""The process and its machine: timing, memory, caches and flags of XLA."""
