"""The command line: `deftunes demo`, `run`, `status`, `verify`, `contract`, … Calls the stages; checks no data."""
