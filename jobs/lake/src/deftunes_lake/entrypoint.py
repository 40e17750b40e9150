"""Entry point of the images with Spark: a stage's command, or Spark's executor when the first argument says so.

Spark starts the pods of its executors with the single argument `executor` and everything else in the environment
(`SPARK_DRIVER_URL`, `SPARK_EXECUTOR_ID`, …; org.apache.spark.deploy.k8s.features.BasicExecutorFeatureStep). Data flow:
none. Both ways the process is replaced, so that signals reach what really runs.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from deftunes_contract.errors import UsageError

EXECUTOR = "executor"
BACKEND = "org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend"
OPTIONS = {
    "--driver-url": "SPARK_DRIVER_URL",
    "--executor-id": "SPARK_EXECUTOR_ID",
    "--cores": "SPARK_EXECUTOR_CORES",
    "--app-id": "SPARK_APPLICATION_ID",
    "--hostname": "SPARK_EXECUTOR_POD_IP",
    "--resourceProfileId": "SPARK_RESOURCE_PROFILE_ID",
    "--podName": "SPARK_EXECUTOR_POD_NAME",
}
"""Options of Spark's executor and the variables that the driver puts their values into."""
SECRET_FILE = "-Dspark.authenticate.secret.file="
"""The driver's way of saying where an executor finds the secret that it has to know."""


def executor_command(environment: Mapping[str, str], java: str, spark_jars: Path) -> list[str]:
    """The JVM of one executor. Raises UsageError naming the variables that are missing."""
    needed = (*OPTIONS.values(), "SPARK_EXECUTOR_MEMORY")
    if missing := [name for name in needed if not environment.get(name)]:
        raise UsageError(
            f"expected the variables that a Spark driver gives its executors, missing: {', '.join(missing)}; "
            "executors are started by a driver and not by hand"
        )
    numbered = {
        int(name.rpartition("_")[2]): value
        for name, value in environment.items()
        if re.fullmatch(r"SPARK_JAVA_OPT_[0-9]+", name)
    }
    options = [numbered[number] for number in sorted(numbered)]
    if any(option.startswith(SECRET_FILE) for option in options):
        # Spark reads the file where its master is Kubernetes, and forgets to tell executors that it is
        options.append("-Dspark.master=k8s://driver")
    memory = environment["SPARK_EXECUTOR_MEMORY"]
    class_path = ":".join(part for part in (environment.get("SPARK_CLASSPATH"), f"{spark_jars}/*") if part)
    command = [java, *options, f"-Xms{memory}", f"-Xmx{memory}"]
    command += ["-cp", class_path, BACKEND]
    return command + [part for option, name in OPTIONS.items() for part in (option, environment[name])]


def main(argv: Sequence[str]) -> None:
    """argv: the image's own command, then the pod's arguments. Does not return."""
    command, *arguments = argv
    if arguments[:1] != [EXECUTOR]:
        file = Path(sys.executable).with_name(command)
        os.execv(file, [command, *arguments])
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin" if home else None) or "java"
    spec = find_spec("pyspark")
    jars = Path(spec.origin).with_name("jars") if spec is not None and spec.origin else Path("jars")
    try:
        os.execvp(java, executor_command(os.environ, java, jars))
    except UsageError as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main(sys.argv[1:])
