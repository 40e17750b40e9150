"""Plug-ins: Python files that add endpoints and tables to a simulated shop, for feeds that the product does not know.

A plug-in defines one or both of

    def add_routes(app: FastAPI, shop: Shop) -> None      called in the API's process, after its own routes
    def add_tables(connection: psycopg.Connection, config: WorldConfig) -> None
                                                          called once the songs are loaded, as superuser, in one
                                                          transaction with every other plug-in's tables

and derives its data from the world's own (`shop.sales`, `config`), so that equal worlds stay equal. A plug-in is code
that runs with the rights of whoever starts the simulator; nothing else loads it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import psycopg

from .config import WorldConfig
from .errors import ConfigError, DatabaseUnavailable

if TYPE_CHECKING:  # only the API's process has a web framework to load
    from fastapi import FastAPI

    from .api import Shop


def add_routes(files: Iterable[Path], app: FastAPI, shop: Shop) -> None:
    """Let every plug-in add its endpoints. Raises ConfigError for a file that cannot be loaded."""
    for module in map(_load, files):
        if hasattr(module, "add_routes"):
            module.add_routes(app, shop)


def add_tables(files: Iterable[Path], dsn: str, config: WorldConfig) -> None:
    """Let every plug-in make its tables. Raises ConfigError, or DatabaseUnavailable when the server is gone."""
    modules = [module for module in map(_load, files) if hasattr(module, "add_tables")]
    if not modules:
        return
    try:
        with psycopg.connect(dsn) as connection:
            for module in modules:
                module.add_tables(connection, config)
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(f"cannot load the tables of the plug-ins: {error}") from error


def _load(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"deftunes_simulator_plugin_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise ConfigError(f"plugins: expected a Python file that ends in .py, found {file}")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ConfigError(f"plugins: {file} cannot be loaded: {error!r}") from error
    if not (hasattr(module, "add_routes") or hasattr(module, "add_tables")):
        raise ConfigError(f"plugins: expected add_routes or add_tables in {file}, found neither")
    return module
