"""The AWS of the DeFtunes data platform: one component a concern, each with its own section of the stack's settings."""
