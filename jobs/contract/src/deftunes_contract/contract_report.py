"""A contract as it takes effect, as YAML in which every overlaid value says where it comes from."""

from __future__ import annotations

import yaml

from deftunes_contract.yaml_document import YamlDocument


def annotated_yaml(document: YamlDocument) -> str:
    """The contract with its overlay applied; a comment beside each overlaid value names its line and what was there."""
    text = yaml.safe_dump(document.value, sort_keys=False, allow_unicode=True, width=100_000)
    shown, _ = YamlDocument.parse("", text)
    lines = text.splitlines()
    for path, was in document.replaced.items():
        line = int(shown.where(path).removeprefix(":")) - 1
        lines[line] += f"  # {document.where(path)}, was {'none' if was is None else was}"
    return "\n".join(lines) + "\n"
