"""The picture of the platform: one HTML page that needs no server and no network."""

from deftunes_cli.dashboard.page import write_dashboard

__all__ = ["write_dashboard"]
