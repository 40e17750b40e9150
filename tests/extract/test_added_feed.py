"""A feed that only a contract describes is read by the command as the packaged ones are."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml
from paged_server import ENVELOPE, PAGINATORS

from deftunes_contract.interval import Interval


@pytest.fixture
def crm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A contract `customers`: the users' columns, from another server, with a token and pages."""
    document = yaml.safe_load((files("deftunes_contract") / "entities" / "users.yaml").read_text())
    facts = {fact["property"]: fact["value"] for fact in document["customProperties"]}
    facts |= {
        "server": "crm",
        "endpoint": {"path": "api/users", "params": {"from": "{start}", "until": "{last_day}"}, **ENVELOPE},
        "landingFolder": "landing_zone/crm/customers",
        "pipeline": "crm",
    }
    text = json.dumps(document).replace('"users', '"customers').replace("deftunes.users", "deftunes.customers")
    document = json.loads(text)
    document["customProperties"] = [{"property": name, "value": value} for name, value in facts.items()]
    document["servers"] = [
        {
            "server": "crm",
            "type": "api",
            "location": "${DEFTUNES_CRM_URL}",
            "auth": {"type": "bearer"},
            "paginator": PAGINATORS["cursor"],
        }
    ]
    for rule in document["schema"][0]["quality"]:
        rule["id"] = rule["id"].replace("user", "customer")
    folder = tmp_path / "contracts"
    folder.mkdir()
    (folder / "customers.yaml").write_text(yaml.safe_dump(document))
    (tmp_path / "token").write_text("hunter2-secret")
    monkeypatch.setenv("DEFTUNES_CONTRACTS", str(folder))
    return tmp_path / "token"


def test_a_contract_alone_makes_a_feed(paged: Any, extract: Any, make: Any, lake: Any, crm: Path) -> None:
    users = [make.user(number) for number in range(1, 12)]
    server = paged.server("cursor", users)
    server.authorize = lambda handler: handler.headers.get("Authorization") == "Bearer hunter2-secret"
    missing = extract("customers")
    assert missing.code == 2
    assert "DEFTUNES_CRM_URL" in missing.said
    assert "DEFTUNES_API_URL" not in missing.said
    assert extract("customers", DEFTUNES_CRM_URL=server.url).code == 2
    outcome = extract("customers", DEFTUNES_CRM_URL=server.url, DEFTUNES_CRM_TOKEN_FILE=crm)
    assert outcome.code == 0, outcome.said
    folder = lake.root / "landing_zone" / "crm" / "customers" / f"ingest_on={Interval.of_month('2020-01').ingest_on}"
    receipt = json.loads((folder / "_receipt.json").read_text())
    assert (receipt["records"], receipt["entity"]) == (11, "customers")
    assert receipt["source"] == f"{server.url}/api/users?from=2020-01-01&until=2020-01-31"
