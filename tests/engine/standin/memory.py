"""What the stand-in knows: which resources there are, how it is configured, and everything it was asked to do."""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

from .real import Cloud, Refused
from .replacement import Change, Difference, difference
from .shapes import Place, documents, made_up, outputs, shape_of, shapes, tags_all, updated
from .values import Properties, bare

__all__ = ["Call", "Known", "Memory", "Refused"]

_AUTONAMING_OFF = 2
"""CheckRequest.AutonamingOptions.Mode.DISABLE"""


@dataclass(frozen=True)
class Call:
    """One thing that the engine asked to be done, previews aside."""

    verb: Literal["create", "update", "delete"]
    kind: str
    urn: str


@dataclass(frozen=True)
class Known:
    """One resource, with its secrets wrapped."""

    kind: str
    identifier: str
    inputs: Properties
    outputs: Properties


class Memory:
    """One account. The engine asks from several threads: what is written is written under a lock."""

    def __init__(self, endpoint: str | None, region: str) -> None:
        self.place = Place(region, {})
        self.resources: dict[tuple[str, str], Known] = {}
        """By type and id."""
        self.calls: list[Call] = []
        """Everything that changed the account, in order."""
        self.unknown_types: set[str] = set()
        """Types whose outputs nobody wrote down: a test asserts that it is empty."""
        self.unknown_functions: set[str] = set()
        """Functions that were refused."""
        self._endpoint, self._region = endpoint, region
        self._cloud = Cloud(endpoint, region) if endpoint else None
        self._births: Counter[str] = Counter()
        self._lock = threading.Lock()

    def configure(self, given: Properties) -> None:
        """Region and default tags, of the provider that was configured last and names them."""
        tags = given.get("defaultTags")
        # nested settings travel as JSON
        tags = json.loads(tags) if isinstance(tags, str) else tags
        with self._lock:
            region = given.get("region") or self.place.region
            self.place = Place(region, (tags or {}).get("tags") or self.place.default_tags)
            if self._endpoint and region != self._region:
                self._region = region
                self._cloud = Cloud(self._endpoint, region)

    def check(self, kind: str, request: Any, old: Properties, new: Properties) -> Properties:
        """Inputs as the provider stores them: documents as JSON, and a name where the program gave none."""
        inputs = documents(new)
        if kind not in shapes():
            self.unknown_types.add(kind)
        named = shape_of(kind).named
        if named is None or named in inputs or f"{named}Prefix" in inputs:
            return inputs
        kept = bare(old.get(named)) if named in bare(old.get("__defaults") or []) else None
        if request.autonaming.mode == _AUTONAMING_OFF:
            return inputs
        name = request.name or request.urn.rpartition("::")[2]
        seed = request.randomSeed or request.urn.encode()
        inputs[named] = kept or request.autonaming.proposed_name or made_up(kind, name, seed)
        return {**inputs, "__defaults": [named]}

    def diff(self, kind: str, old: Properties, known: Properties, new: Properties, ignored: list[str]) -> Difference:
        """What differs. Changed default tags show on every resource that bears them."""
        found = difference(kind, old, new, shape_of(kind).named, ignored)
        before, after = known.get("tagsAll"), tags_all(kind, new, self.place)
        if before is not None and after is not None and bare(before) != bare(after) and "tagsAll" not in ignored:
            return Difference((*found.changes, Change("tagsAll", "update", False)), found.delete_first)
        return found

    def preview(self, kind: str, inputs: Properties) -> Properties:
        """Outputs of a resource that is not there yet: of what is computed nothing is known."""
        return outputs(kind, inputs, self.place, None)

    def preview_update(self, kind: str, old: Properties, new: Properties) -> Properties:
        """Outputs after an update: what is computed stays."""
        return updated(kind, old, new, self.place)

    def create(self, kind: str, urn: str, inputs: Properties) -> Properties:
        """Make it, for real where that can be. Raises Refused."""
        with self._lock:
            self._births[urn] += 1
            birth = self._births[urn]
        seed = f"{urn}/{birth}"
        made = outputs(kind, inputs, self.place, seed)
        if self._cloud and self._cloud.makes(kind):
            identifier, computed = self._cloud.create(kind, bare(made) | bare(_write_only(inputs)))
            made = {**outputs(kind, inputs, self.place, seed, identifier), **computed, "id": identifier}
        self._remember("create", kind, urn, inputs, made)
        return made

    def update(self, kind: str, urn: str, identifier: str, old: Properties, new: Properties) -> Properties:
        """Change it. Raises Refused."""
        made = {**updated(kind, old, new, self.place), "id": identifier}
        if self._cloud and self._cloud.makes(kind):
            self._cloud.update(kind, identifier, bare(old), bare(made))
        self._remember("update", kind, urn, new, made)
        return made

    def delete(self, kind: str, urn: str, identifier: str, known: Properties) -> None:
        """Remove it. Raises Refused."""
        if self._cloud and self._cloud.makes(kind):
            self._cloud.delete(kind, identifier, bare(known))
        with self._lock:
            self.resources.pop((kind, identifier), None)
            self.calls.append(Call("delete", kind, urn))

    def read(self, kind: str, urn: str, identifier: str, known: Properties) -> Known | None:
        """As it is; None when it is gone. What another stand-in made is believed, unless moto can be asked."""
        if self._cloud and self._cloud.makes(kind) and not self._cloud.exists(kind, identifier, bare(known)):
            return None
        remembered = self.resources.get((kind, identifier))
        if remembered is None and known:
            return Known(kind, identifier, {}, known)
        return remembered

    def _remember(
        self, verb: Literal["create", "update"], kind: str, urn: str, new: Properties, made: Properties
    ) -> None:
        with self._lock:
            identifier = str(made["id"])
            self.resources[kind, identifier] = Known(kind, identifier, new, made)
            self.calls.append(Call(verb, kind, urn))


def _write_only(inputs: Properties) -> Properties:
    return {key: value for key, value in inputs.items() if key.endswith("Wo")}
