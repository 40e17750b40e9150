"""DeFtunes lake."""
