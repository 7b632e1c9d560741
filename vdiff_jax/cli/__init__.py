"""The command line's arguments, progress bar and text output."""
