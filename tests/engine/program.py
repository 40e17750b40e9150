"""Programs through the real engine: preview, up, refresh and destroy of one stack, told as data.

The program runs in this process (pulumi.automation's inline programs), state lies in a folder, and the aws provider is
a stand-in that is already listening: nothing is downloaded and no cloud is asked.

    stack = Stack(engine, standin, folder, program, {"environment": "dev", "password": Secret("hunter2")})
    assert stack.up().of("create") == ["lake"]
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from outcome import Refused, Run, Witness
from pulumi import automation
from pulumi.automation.errors import CommandError
from standin import StandIn

Program = Callable[[], None]
PASSPHRASE = "of these tests alone"


@dataclass(frozen=True)
class Engine:
    """Pulumi's command line."""

    binary: Path

    def command(self) -> automation.PulumiCommand:
        """As the automation API wants it, which takes the folder above bin/; elsewhere it was on PATH and still is."""
        beside = self.binary.parent.name == "bin"
        return automation.PulumiCommand(root=str(self.binary.parent.parent) if beside else None)


@dataclass(frozen=True)
class Secret:
    """A configuration value that is stored encrypted."""

    text: str

    def __repr__(self) -> str:
        return "Secret(…)"


class Stack:
    """One stack of one program. `program` and `config` may be set anew between runs; `standin` is its provider."""

    def __init__(
        self,
        engine: Engine,
        standin: StandIn,
        folder: Path,
        program: Program,
        config: Mapping[str, Any] | None = None,
        *,
        project: str = "deftunes",
        name: str = "test",
        policies: Iterable[Path] = (),
    ) -> None:
        """policies: folders of policy packs (PulumiPolicy.yaml with runtime python), enforced in preview and up."""
        self.program, self.standin, self.folder = program, standin, folder
        self._project = project
        self.policies = [str(pack) for pack in policies]
        for part in ("state", "work", "home", "bin"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        _make_analyzer(folder / "bin")
        self._stack = automation.create_or_select_stack(
            name,
            project_name=project,
            program=self._run_program,
            opts=automation.LocalWorkspaceOptions(
                work_dir=str(folder / "work"),
                pulumi_home=str(folder / "home"),
                pulumi_command=engine.command(),
                secrets_provider="passphrase",
                env_vars=self._environment(),
                project_settings=automation.ProjectSettings(
                    name=project,
                    runtime="python",
                    backend=automation.ProjectBackend(url=f"file://{folder / 'state'}"),
                ),
            ),
        )
        self.config = config or {}

    @property
    def config(self) -> Mapping[str, Any]:
        """What the program is configured with: "key" of the project, "aws:region" of the provider. Settable, whole."""
        return self._config

    @config.setter
    def config(self, values: Mapping[str, Any]) -> None:
        gone = set(getattr(self, "_config", {})) - set(values)
        if gone:
            self._stack.remove_all_config(sorted(gone))
        if values:
            self._stack.set_all_config({key: _config_value(value) for key, value in values.items()})
        self._config = dict(values)

    def preview(self, *, refused: bool = False) -> Run:
        """What up would do."""
        return self._run(
            "preview", lambda w: self._stack.preview(on_event=w, policy_packs=self.policies), refused=refused
        )

    def up(self, *, refused: bool = False, targets: Iterable[str] | None = None) -> Run:
        """Do it; outputs are those of the stack afterwards. targets: URNs, when not everything is meant."""
        chosen = list(targets) if targets else None
        run = self._run(
            "up", lambda w: self._stack.up(on_event=w, policy_packs=self.policies, target=chosen), refused=refused
        )
        found = self._stack.outputs() if run.succeeded else {}
        return replace(
            run,
            outputs={key: output.value for key, output in found.items()},
            secret_outputs=frozenset(key for key, output in found.items() if output.secret),
        )

    def refresh(self, *, refused: bool = False) -> Run:
        """Believe the provider: what is gone there is gone in the state."""
        return self._run("refresh", lambda w: self._stack.refresh(on_event=w), refused=refused)

    def destroy(self, *, refused: bool = False, skip_preview: bool = False) -> Run:
        """Remove everything, without running the program.

        As the command line does it: planned first, and a plan that is refused removes nothing. skip_preview: its flag
        of that name, and the automation API's habit; what may go is gone before the engine meets what may not.
        """
        if not skip_preview:
            try:
                planned = self._run("destroy", lambda w: self._stack.preview_destroy(on_event=w), refused=False)
            except Refused as refusal:
                if refused:
                    return refusal.run
                raise
            if refused:
                raise AssertionError(f"expected destroy to be refused, it was planned: {planned.summary}")
        return self._run("destroy", lambda w: self._stack.destroy(on_event=w), refused=refused)

    def resources(self) -> list[dict[str, Any]]:
        """What the state's file holds, secrets as ciphertext (an export would decrypt them)."""
        file = self.folder / "state" / ".pulumi" / "stacks" / self._project / f"{self._stack.name}.json"
        latest = json.loads(file.read_text())["checkpoint"]["latest"] or {}
        return list(latest.get("resources") or [])

    def files(self) -> Iterable[Path]:
        """Everything that the engine wrote: state, its history and backups, configuration."""
        return (file for file in self.folder.rglob("*") if file.is_file())

    def _run_program(self) -> None:
        self.program()

    def _run(self, verb: str, action: Callable[[Witness], Any], *, refused: bool) -> Run:
        """Raises Refused when it fails; with refused=True a failure is what is wanted, and a success raises."""
        witness = Witness(verb)
        try:
            action(witness)
        except CommandError as error:
            run = witness.run(succeeded=False, text=str(error))
            if not refused:
                raise Refused(run) from None
            return run
        run = witness.run(succeeded=True)
        if refused:
            raise AssertionError(f"expected {verb} to be refused, it was not: {run.summary}")
        return run

    def _environment(self) -> dict[str, str]:
        nobody = {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
        return nobody | {
            "AWS_EC2_METADATA_DISABLED": "true",
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
            "PULUMI_DEBUG_PROVIDERS": f"aws:{self.standin.port}",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            # a proxy of the machine's would be asked for loopback
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }


def program_in(folder: Path) -> Program:
    """The program whose __main__.py lies in a folder, run anew each time: none of its modules is remembered.

    They are forgotten before a run, not after it: what is applied to outputs runs when the program has ended.
    """

    def run() -> None:
        for name, module in list(sys.modules.items()):
            origin = getattr(module, "__file__", None)
            if origin and Path(origin).is_relative_to(folder) and ".venv" not in Path(origin).parts:
                del sys.modules[name]
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
        main = folder / "__main__.py"
        # not runpy, which empties the program's names at its end
        exec(compile(main.read_text(), str(main), "exec"), {"__name__": "__main__", "__file__": str(main)})

    return run


def config_in(file: Path) -> dict[str, Any]:
    """The settings of a stack as its file (Pulumi.<stack>.yaml) has them; encrypted ones are for the test to add."""
    found = yaml.safe_load(file.read_text()).get("config") or {}
    return {key: value for key, value in found.items() if not (isinstance(value, dict) and "secure" in value)}


def _config_value(value: Any) -> automation.ConfigValue:
    """Text as it is; everything else as the JSON that pulumi.Config's get_bool, get_int and get_object read."""
    if isinstance(value, Secret):
        return automation.ConfigValue(value.text, secret=True)
    return automation.ConfigValue(value if isinstance(value, str) else json.dumps(value))


def _make_analyzer(folder: Path) -> None:
    """What starts a policy pack in Python: the engine looks for it on PATH when there is no language plugin."""
    script = folder / "pulumi-analyzer-policy-python"
    # called in the pack's folder with the engine's address; it prints the port that it listens on
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -u . "$@"\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
