"""Repair a video: decide what it needs, run the network over it, write it."""
