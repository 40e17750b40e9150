"""The hand: `deftunes demo`, `run`, `status`, `verify`, `simulate`. Calls the stages; holds no data logic of its own."""
