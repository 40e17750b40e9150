"""JSON schemas for kubeconform from the OpenAPI document of a running server: what that server takes, to the letter.

python tests/e2e/schemas.py openapi.json FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def strict(node: Any) -> Any:
    """Objects with listed properties take no others; references stay within the file."""
    if isinstance(node, list):
        return [strict(part) for part in node]
    if not isinstance(node, dict):
        return node
    closed = {key: strict(value) for key, value in node.items()}
    if "properties" in node and "additionalProperties" not in node and isinstance(node["properties"], dict):
        closed["additionalProperties"] = False
    if node.get("format") == "int-or-string":
        closed.pop("type", None)
    return closed


def main(source: str, folder: str) -> None:
    """One file a kind: `<kind>-<group>-<version>.json`, in lower case, group without its domain."""
    definitions = strict(json.loads(Path(source).read_text(encoding="utf-8"))["definitions"])
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    for name, definition in definitions.items():
        for kind in definition.get("x-kubernetes-group-version-kind", []):
            parts = [kind["kind"], *([kind["group"].split(".")[0]] if kind["group"] else []), kind["version"]]
            document = {"$ref": f"#/definitions/{name}", "definitions": definitions}
            if "apiVersion" in definition.get("properties", {}):
                (target / f"{'-'.join(parts).lower()}.json").write_text(json.dumps(document), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
