"""The hand: `deftunes demo`, `run`, `status`, `verify`, `simulate`. Calls the stages; judges no data itself."""
