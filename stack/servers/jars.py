"""Java programs from Maven's registry, with what they depend on, in the cache."""

import os
import shutil
from pathlib import Path

from stack.cache import beside, cache_root, once
from stack.servers.server import MissingServerError
from stack.watched import Progress, run_watched

_PROJECT = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>sidecart</groupId><artifactId>{artifact}</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version></dependency>
  </dependencies>
</project>
"""


def missing(group: str, artifact: str, version: str) -> str | None:
    """Say what is missing to run it, or to fetch it where that was not done yet."""
    wanted = ["java"] if _entry(group, artifact, version).exists() else ["java", "mvn"]
    absent = [program for program in wanted if not shutil.which(program)]
    if not absent:
        return None
    return f"{' and '.join(absent)} not found: install them (Debian: apt-get install maven, which brings Java)"


def folder(group: str, artifact: str, version: str, progress: Progress) -> Path:
    """Return a folder that holds the jar and everything it needs at run time."""
    entry = _entry(group, artifact, version)
    log = beside(entry, "log")

    def fetch(part: Path) -> None:
        progress(f"{artifact} {version}: fetching its jars, once")
        (part / "pom.xml").write_text(_PROJECT.format(group=group, artifact=artifact, version=version))
        status = run_watched(
            ["mvn", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={part}"],
            env=os.environ,
            cwd=part,
            log=log,
            on_line=lambda _: None,
            heartbeat=lambda elapsed: progress(f"{artifact}: fetching its jars ({elapsed:.0f} s)"),
        )
        if status != 0 or not (part / f"{artifact}-{version}.jar").exists():
            raise MissingServerError(f"{artifact} {version} could not be fetched: see {log}; then try again")

    return once(entry, fetch, what=artifact, progress=progress)


def _entry(group: str, artifact: str, version: str) -> Path:
    return cache_root() / "jars" / group / f"{artifact}-{version}"
