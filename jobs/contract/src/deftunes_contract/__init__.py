"""Contracts and the registry made of them: what flows through the platform, in which shape, and by which rules.

Data flow: none. Every stage imports this package, and it imports no stage.
"""
