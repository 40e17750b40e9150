"""The blueprint: what flows through the platform, in which shape, under which rules, and where it lies.

Data flow: none. Every stage imports this package, and it imports no stage.
"""
