"""What can go wrong, by what the caller should do about it."""


class ConfigError(ValueError):
    """The world cannot be built as described; the message says what was expected and found. Exit code 2."""


class DatabaseUnavailable(RuntimeError):
    """PostgreSQL could not be started or reached; trying again may help. Exit code 75."""


class WorldUnavailable(RuntimeError):
    """The API could not be started; the message names the log to read. Exit code 75."""
