"""What is in each image, as CycloneDX: every locked Python package and jar with its hashes. Needs no network.

Data flow: the locks → `FOLDER/<image>.cdx.json`, the same bytes for the same locks. `uv export` tells the packages,
jars.lock the jars beside Spark's own, which are part of the package pyspark. Packages of Debian are chosen when an
image is built: `docker buildx bake release` attaches what it found of them.

python tests/images/sbom.py FOLDER
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

from requirements import PACKAGES, PROJECTS, REPOSITORY

from deftunes_lake.jars import locked_jars

LAYERS = {
    "extract": ("jobs/contract", "jobs/extract"),
    "lake": ("jobs/contract", "jobs/lake"),
    "transform": ("jobs/contract", "jobs/lake", "jobs/transform"),
    "quality": ("jobs/contract", "jobs/lake", "jobs/quality"),
    "dbt": ("jobs/contract", "jobs/dbt"),
    "airflow": ("airflow",),
    "simulator": ("simulator",),
}
"""Image -> folders whose locks were installed into it, from the base upwards (docker-bake.hcl, contexts)."""
WITH_JARS = "jobs/lake"
"""The folder whose Dockerfile fetches the jars."""


def bill(image: str, version: str) -> dict[str, Any]:
    """The bill of one image. Raises CalledProcessError when uv cannot read the locks."""
    components: dict[str, dict[str, Any]] = {}
    needs: dict[str, set[str]] = {}
    for folder in LAYERS[image]:
        told = _exported(folder)
        # uv numbers packages anew in each export: a package URL names it in all of them
        names = {each["bom-ref"]: each.get("purl", each["name"]) for each in told["components"]}
        components |= {
            names[each["bom-ref"]]: each | {"bom-ref": names[each["bom-ref"]]} for each in told["components"]
        }
        for edge in told.get("dependencies", ()):
            if edge["ref"] in names:
                known = [names[ref] for ref in edge.get("dependsOn", ()) if ref in names]
                needs.setdefault(names[edge["ref"]], set()).update(known)
    if WITH_JARS in LAYERS[image]:
        components |= {jar["bom-ref"]: jar for jar in _jars()}
    listed = [components[name] for name in sorted(components)]
    edges = [{"ref": name, "dependsOn": sorted(needs[name])} for name in sorted(needs)]
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps([image, version, listed], sort_keys=True))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "component": {"type": "container", "bom-ref": image, "name": f"deftunes/{image}", "version": version}
        },
        "components": listed,
        "dependencies": edges,
    }


def _exported(folder: str) -> Any:
    command = [os.environ.get("UV", "uv"), "export", "--frozen", "--quiet", "--no-dev", "--format=cyclonedx1.5"]
    command += ["--project", folder] if folder in PROJECTS else ["--package", *PACKAGES[folder]]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def _jars() -> list[dict[str, Any]]:
    return [
        {
            "type": "library",
            "bom-ref": (purl := f"pkg:maven/{jar.group}/{jar.artifact}@{jar.version}"),
            "group": jar.group,
            "name": jar.artifact,
            "version": jar.version,
            "purl": purl,
            "hashes": [{"alg": "SHA-256", "content": jar.sha256}],
        }
        for jar in locked_jars()
    ]


def main() -> None:
    """Write the bills of all images."""
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for image in LAYERS:
        text = json.dumps(bill(image, os.environ.get("VERSION", "0.1.0")), indent=2)
        (folder / f"{image}.cdx.json").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
