"""Contracts on the command line: show, check, diff, and the files of a new entity."""
