"""DeFtunes serving."""
