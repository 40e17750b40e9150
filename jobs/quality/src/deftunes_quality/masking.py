"""What of a value may be shown in log lines, results and reports: enough to find it in the data, too little to know it.

Columns tagged `pii` in the contract, and every text of a raw record that is not the text of a column known to be
harmless, are cut to their first characters: four, and never more than a third, so that "Anna" does not show whole.
Numbers, true/false, null and the names of fields are shown. Entities without any `pii` column are only shortened.
"""

from __future__ import annotations

import json
from typing import Any

from deftunes_contract.entity import Entity

EXAMPLES = 5
"""Offending values shown per rule."""
SHOWN = 4
"""Leading characters of a personal value that are shown at most."""
LONGEST = 120
"""Characters of one example."""


def masked(value: str) -> str:
    """The first characters of a personal value and an ellipsis."""
    return f"{value[: min(SHOWN, len(value) // 3)]}…"


def shortened(text: str) -> str:
    """A text on one line, cut to LONGEST characters."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def shown_value(entity: Entity, column: str, value: object) -> str:
    """A column's value as an example: masked when the contract calls the column personal."""
    if value is None:
        return "null"
    personal = any(field.name == column and field.pii for field in entity.columns)
    return masked(str(value)) if personal else shortened(str(value))


def shown_row(entity: Entity, values: dict[str, Any]) -> str:
    """Some columns of a row as an example: `session_id=8f14… item_no=3`."""
    return shortened(" ".join(f"{column}={shown_value(entity, column, value)}" for column, value in values.items()))


def shown_record(entity: Entity, raw: str) -> str:
    """A landed record as an example; texts that may be personal are masked, and so is all of what is not JSON."""
    if not any(field.pii for field in entity.columns):
        return shortened(raw)
    try:
        record = json.loads(raw)
    except ValueError:
        return f"{masked(raw)} ({len(raw)} characters, not JSON)"
    harmless = {field.name for field in entity.columns if not field.pii}
    return shortened(json.dumps(_masked_tree(record, harmless, False), ensure_ascii=False))


def _masked_tree(node: Any, harmless: set[str], shown: bool) -> Any:
    if isinstance(node, dict):
        return {key: _masked_tree(child, harmless, key in harmless) for key, child in node.items()}
    if isinstance(node, list):
        return [_masked_tree(child, harmless, shown) for child in node]
    return masked(node) if isinstance(node, str) and not shown else node
