"""The command line: arguments, progress and the words of reports."""
