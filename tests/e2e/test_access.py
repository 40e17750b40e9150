"""Who may do what, what the server thinks of the manifests, and the life of the release."""

from __future__ import annotations

import subprocess
from pathlib import Path

import yaml
from walk import REPOSITORY, Shell

CHART = "charts/deftunes --namespace deftunes --values charts/deftunes/ci/evaluation-values.yaml"


def _rights(shell: Shell, account: str) -> set[str]:
    listed = shell.run(
        f"kubectl auth can-i --list --no-headers --namespace deftunes --as system:serviceaccount:deftunes:{account}"
    )
    return {" ".join(line.split()) for line in listed.splitlines() if line.strip()}


def test_accounts_may_what_is_written_down_and_no_more(walked: Shell) -> None:
    expected = yaml.safe_load((Path(__file__).parent / "can-i.yaml").read_text(encoding="utf-8"))
    accounts = {item["metadata"]["name"] for item in walked.get("serviceaccounts")["items"]} - {"default"}
    assert accounts == set(expected)
    anybody = _rights(walked, "default")
    assert {name: sorted(_rights(walked, name) - anybody) for name in accounts} == {
        name: sorted(rights) for name, rights in expected.items()
    }


def test_the_server_takes_every_manifest_to_the_letter(walked: Shell) -> None:
    said = walked.run(f"helm template deftunes {CHART} | kubectl apply --dry-run=server --validate=strict -f - 2>&1")
    assert "Warning: would violate PodSecurity" not in said
    assert said.count("deftunes-") > 20
    # and would have said so: a field that does not exist
    broken = "kubectl create configmap x --dry-run=client -o yaml | sed 's/^metadata:/immutabel: true\\nmetadata:/'"
    assert walked.code(f"{broken} | kubectl apply --namespace deftunes --dry-run=server --validate=strict -f -") != 0


def test_manifests_fit_the_servers_own_schema(walked: Shell, tmp_path: Path) -> None:
    walked.run(f"kubectl get --raw /openapi/v2 > {tmp_path}/openapi.json")
    subprocess.run(
        ["python3", REPOSITORY / "tests/e2e/schemas.py", tmp_path / "openapi.json", tmp_path / "schemas"], check=True
    )
    location = f"{tmp_path}/schemas/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    check = f"kubeconform -strict -summary -schema-location '{location}' -"
    said = walked.run(f"helm template deftunes {CHART} | {check}")
    assert "Invalid: 0, Errors: 0, Skipped: 0" in said
    assert (
        walked.code(f"helm template deftunes {CHART} | sed 's/enableServiceLinks/enableServiceLinkz/' | {check}") != 0
    )


def test_a_pod_that_is_not_restricted_is_refused(walked: Shell) -> None:
    said = walked.try_("kubectl run root --namespace deftunes --image=deftunes.local/deftunes/extract:0.1.0 -- --help")
    assert "violates PodSecurity" in said


def test_upgrade_and_rollback(walked: Shell) -> None:
    level = "kubectl get configmap deftunes-settings --namespace deftunes --output jsonpath={.data.DEFTUNES_LOG_LEVEL}"
    walked.run(f"helm upgrade deftunes {CHART} --set extraSettings.DEFTUNES_LOG_LEVEL=DEBUG --wait --timeout 5m", 320)
    assert walked.run(level) == "DEBUG"
    walked.run("helm rollback deftunes 1 --namespace deftunes --wait --timeout 5m", 320)
    assert walked.run(level) == ""
