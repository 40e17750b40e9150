"""Where images come from: a base by digest, packages and tools by hash, and a bill that names all of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
BAKE = REPOSITORY / "docker-bake.hcl"
TAG = "docker-image://python:3.11-slim-bookworm"
DIGEST = f"{TAG}@sha256:{'0123456789abcdef' * 4}"
sys.path.insert(0, str(Path(__file__).parent))

from requirements import PACKAGES, PROJECTS  # noqa: E402
from sbom import LAYERS, WITH_JARS  # noqa: E402

from deftunes_lake.jars import locked_jars  # noqa: E402


def _found(program: str, *own: str) -> str:
    """A program that `make setup` or `make cluster-tools` made, else that on PATH; without it the test is skipped."""
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "deftunes"
    made = caches.joinpath(*own, program)
    path = str(made) if made.is_file() else shutil.which(program)
    if path is None:
        pytest.skip(f"expected {program} at {made} or on PATH, found none")
    return path


def bake(*targets: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """What bake would do, without doing it."""
    kept = {name: value for name, value in os.environ.items() if name not in {"BASE", "REGISTRY", "VERSION", "ROOTFS"}}
    return subprocess.run(
        [_found("buildx", "cluster", "bin"), "bake", "--file", str(BAKE), "--print", *targets],
        env=kept | variables,
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("targets", [(), ("release",), ("extract",)])
@pytest.mark.parametrize("base", ["", TAG, f"{TAG}@sha256:0123", "target:rootfs"])
def test_images_for_a_registry_need_a_base_by_digest(targets: tuple[str, ...], base: str) -> None:
    done = bake(*targets, REGISTRY="registry.example/team", **({"BASE": base} if base else {}))
    assert done.returncode != 0
    assert "need a base by digest" in done.stderr
    assert "docker buildx imagetools inspect" in done.stderr, "what to do"


def test_with_a_digest_every_image_stands_on_it() -> None:
    done = bake("release", REGISTRY="registry.example/team", BASE=DIGEST)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)["target"]
    bases = {name: target["contexts"]["base"] for name, target in told.items() if "base" in target.get("contexts", {})}
    assert set(bases.values()) == {DIGEST, "target:runtime"}
    assert {told[name]["attest"][1]["type"] for name in told if name.startswith("release-")} == {"sbom"}


@pytest.mark.parametrize("variables", [{}, {"BASE": "target:rootfs"}])
def test_images_that_stay_here_need_none(variables: dict[str, str]) -> None:
    assert bake(**variables).returncode == 0


def test_no_dockerfile_names_a_base_of_its_own() -> None:
    """Every FROM is a stage or a named context: the digest in BASE is the only way in from outside."""
    files = [
        *REPOSITORY.glob("jobs/*/Dockerfile"),
        REPOSITORY / "airflow/Dockerfile",
        REPOSITORY / "simulator/Dockerfile",
    ]
    contexts = set(re.findall(r"(\w+) += ", " ".join(re.findall(r"contexts += \{(.*?)\}", BAKE.read_text()))))
    assert len(files) >= 8
    for file in files:
        text = file.read_text(encoding="utf-8")
        stages = set(re.findall(r"^FROM .* AS (\w+)$", text, re.MULTILINE))
        assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) <= contexts | stages, file
        assert set(re.findall(r"from=(\w+)", text)) <= contexts | stages, file
        assert "syntax=" not in text, "a frontend of BuildKit is somebody else's image too"


def test_tools_are_locked_by_hash_and_nothing_installs_without() -> None:
    lock = (REPOSITORY / "jobs/contract/tools.lock").read_text(encoding="utf-8")
    tools = dict(re.findall(r"^([a-z-]+)==([0-9.]+) \\$", lock, re.MULTILINE))
    assert set(tools) == {"uv", "uv-build"}
    assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", lock)) > 2 * len(tools), "every platform's"
    (ours,) = re.findall(r"^UV_VERSION := (\S+)", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert tools["uv"] == ours
    texts = [
        file.read_text(encoding="utf-8")
        for file in (*REPOSITORY.glob("jobs/*/Dockerfile"), *REPOSITORY.glob("*/Dockerfile"))
    ]
    texts.append((REPOSITORY / "jobs/contract/install.sh").read_text(encoding="utf-8"))
    installs = [line for text in texts for line in text.replace("\\\n", " ").splitlines() if "pip install" in line]
    assert len(installs) == 3
    for line in installs:
        assert "--require-hashes" in line or "--require-build-hashes" in line, line


@pytest.mark.parametrize("folder", [*PACKAGES, *PROJECTS])
def test_every_requirement_of_an_image_has_its_hash(folder: str) -> None:
    pinned = _pinned(folder)
    assert pinned
    assert {name: hashes for name, hashes in pinned.items() if not hashes} == {}


def _pinned(folder: str) -> dict[tuple[str, str], set[str]]:
    """Name and version -> hashes of a lock."""
    text = (REPOSITORY / folder / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ")
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[.*?\])?==(\S+)(.*)$", text, re.MULTILINE)
    assert len(found) == len([line for line in text.splitlines() if line.strip()]), "a line that is no pin"
    return {(name, version): set(re.findall(r"sha256:([0-9a-f]{64})", rest)) for name, version, rest in found}


@cache
def _bills(folder: str) -> dict[str, Any]:
    uv = _found(
        "uv", "tools", f"uv-{re.findall(r'UV_VERSION := (.*)', (REPOSITORY / 'Makefile').read_text())[0]}", "bin"
    )
    command = [sys.executable, str(REPOSITORY / "tests/images/sbom.py"), folder]
    subprocess.run(command, env=os.environ | {"UV": uv}, check=True)
    return {file.name.removesuffix(".cdx.json"): json.loads(file.read_text()) for file in Path(folder).iterdir()}


@pytest.fixture(scope="module")
def bills(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return _bills(str(tmp_path_factory.mktemp("bills")))


def test_every_image_has_a_bill_of_its_own_layers(bills: dict[str, Any]) -> None:
    text = BAKE.read_text(encoding="utf-8")
    (group,) = re.findall(r'group "default" \{\s*targets = \[(.*?)\]', text)
    assert set(bills) == set(LAYERS) == set(re.findall(r'"(\w+)"', group))
    parents = {"contract": "jobs/contract", "lake": "jobs/lake"}
    for image, layers in LAYERS.items():
        (below,) = re.findall(rf'^target "{image}" \{{.*?contexts = \{{ (.*?) \}}', text, re.MULTILINE | re.DOTALL)
        assert {parents[name] for name in re.findall(r"target:(\w+)", below) if name in parents} <= set(layers)
        (context,) = re.findall(rf'^target "{image}" \{{.*?context += "(.*?)"', text, re.MULTILINE | re.DOTALL)
        assert layers[-1] == context


@pytest.mark.parametrize("image", LAYERS)
def test_a_bill_names_every_locked_package_with_its_hashes(bills: dict[str, Any], image: str) -> None:
    bill = bills[image]
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    assert bill["metadata"]["component"]["name"] == f"deftunes/{image}"
    named = {
        (each["name"], each["version"]): {
            entry["content"] for source in each.get("externalReferences", ()) for entry in source.get("hashes", ())
        }
        for each in bill["components"]
    }
    for folder in LAYERS[image]:
        for package, hashes in _pinned(folder).items():
            assert hashes <= named.get(package, set()), package
    references = [each["bom-ref"] for each in bill["components"]]
    assert len(references) == len(set(references))
    assert {ref for edge in bill["dependencies"] for ref in (edge["ref"], *edge["dependsOn"])} <= set(references)


@pytest.mark.parametrize("image", LAYERS)
def test_a_bill_names_the_jars_where_there_are_any(bills: dict[str, Any], image: str) -> None:
    maven = {
        each["purl"]: each["hashes"]
        for each in bills[image]["components"]
        if each.get("purl", "").startswith("pkg:maven/")
    }
    expected = {
        f"pkg:maven/{jar.group}/{jar.artifact}@{jar.version}": [{"alg": "SHA-256", "content": jar.sha256}]
        for jar in locked_jars()
    }
    assert maven == (expected if WITH_JARS in LAYERS[image] else {})


def test_the_same_locks_give_the_same_bill(bills: dict[str, Any], tmp_path: Path) -> None:
    assert _bills(str(tmp_path)) == bills
