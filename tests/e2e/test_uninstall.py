"""Removing leaves nothing behind."""

from __future__ import annotations

import re

from walk import REPOSITORY, Shell, blocks


def test_nothing_is_left(walked: Shell) -> None:
    page = (REPOSITORY / "docs" / "kubernetes.md").read_text(encoding="utf-8")
    uninstall, delete = blocks(page.split("## Remove")[1]).strip().splitlines()
    walked.run(f"{uninstall} --namespace deftunes", 320)
    kinds = walked.run("kubectl api-resources --namespaced --verbs=list --output=name").split()
    listing = f"kubectl get {','.join(kinds)} --namespace deftunes --output name --ignore-not-found"
    expected = r"configmap/kube-root-ca\.crt|serviceaccount/default|secret/deftunes-credentials|event.*"

    def left() -> list[str]:
        return [name for name in walked.run(listing).split() if not re.fullmatch(expected, name)]

    # what belongs to a removed Deployment is collected a moment later
    walked.until("the release's last objects to go", lambda: not left(), 60)
    owned = walked.run("kubectl get clusterroles,clusterrolebindings --output name")
    assert "deftunes" not in owned
    walked.run(delete, 320)
