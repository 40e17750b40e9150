"""DeFtunes transform."""
