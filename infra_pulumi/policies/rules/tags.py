"""Tags: whose bill it is, and who may change it by hand (nobody)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .resource_view import UNKNOWN, ResourceView, Rule, from_json, is_set, violation

WANTED = ("platform", "environment", "managed_by")


def is_tagged(resource: ResourceView) -> Iterator[str]:
    """Every resource of AWS has our tags: from its provider's defaultTags, or its own."""
    if not resource.kind.startswith("aws:"):
        return
    missing = [name for name in WANTED if not is_set(tag(resource, name))]
    if missing:
        yield violation(
            resource,
            where="tags",
            expected=", ".join(WANTED),
            found=f"no {', '.join(missing)}",
            do="Make it with the program's own provider (opts, or parent), whose defaultTags have them",
        )


def tag(resource: ResourceView, name: str) -> Any:
    """A tag as AWS will have it: the resource's own, else its provider's. UNKNOWN when the preview cannot tell."""
    # the provider's settings travel as JSON
    defaults = from_json((resource.provider or {}).get("defaultTags")) or {}
    sources = (resource.props.get("tags"), resource.props.get("tagsAll"), defaults.get("tags"))
    for tags in sources:
        if isinstance(tags, Mapping) and tags.get(name):
            return tags[name]
    return UNKNOWN if UNKNOWN in sources else None


RULES = (Rule("tagged", "Every resource says whose it is", is_tagged),)
