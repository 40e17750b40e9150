"""A stand-in of Redshift for tests: PostgreSQL behind a proxy that speaks as Redshift does. README.md: its lies."""

from redshift_standin.server import RedshiftStandin, standin

__all__ = ["RedshiftStandin", "standin"]
