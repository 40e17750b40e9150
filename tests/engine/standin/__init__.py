"""A stand-in for the aws resource provider: the engine's protocol, a memory in place of a cloud (see ../README.md)."""

from .memory import Call, Known, Memory
from .wire import StandIn

__all__ = ["Call", "Known", "Memory", "StandIn"]
