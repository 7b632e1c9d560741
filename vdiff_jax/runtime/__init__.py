"""The process and its machine: timing, memory, caches and XLA's flags."""
