"""A real Prometheus that scrapes nodes while a test runs, and is asked afterwards."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.gateway import ROOT, Process, free_ports, wait_for

MONITORING = ROOT / "scripts" / "deploy" / "monitoring"
JOB = "stork"


class Prometheus:
    """
    Args:
        folder: for its configuration and its data.
        targets: name of each node, which becomes the label ``instance``, and its operator's port.
        scrape_s: how often it asks them.
    """

    def __init__(self, folder: Path, targets: Mapping[str, int], scrape_s: int = 1) -> None:
        folder.mkdir()
        interval = f"{scrape_s}s"
        configs = [{"targets": [f"127.0.0.1:{port}"], "labels": {"instance": name}} for name, port in targets.items()]
        configuration = {
            "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
            "rule_files": [str(MONITORING / "alerts.yml")],
            "scrape_configs": [{"job_name": JOB, "static_configs": configs}],
        }
        path = folder / "prometheus.yml"
        path.write_text(json.dumps(configuration))  # JSON is YAML
        [port] = free_ports(1)
        self._url = f"http://127.0.0.1:{port}"
        command = ["prometheus", f"--config.file={path}", f"--storage.tsdb.path={folder / 'data'}"]
        self._process = Process([*command, f"--web.listen-address=127.0.0.1:{port}"], folder / "prometheus.log", {})

    def __enter__(self) -> "Prometheus":
        wait_for(self._is_ready, "Prometheus is ready")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stop()

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """The series that an expression has now: each with ``metric`` (its labels) and ``value``."""
        answer: list[dict[str, Any]] = self._get("query", query=expression)["result"]
        return answer

    def ask_range(self, expression: str, began: float, ended: float, step_s: float) -> list[dict[str, Any]]:
        """The same over a time (seconds since the epoch), with ``values`` of ``[time, value]``."""
        parts = {"query": expression, "start": str(began), "end": str(ended), "step": str(step_s)}
        answer: list[dict[str, Any]] = self._get("query_range", **parts)["result"]
        return answer

    def rules(self) -> list[dict[str, Any]]:
        """Each alert rule: ``name``, ``health``, ``state``, ``lastError`` where it has one."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def _is_ready(self) -> bool:
        if self._process.popen.poll() is not None:
            raise AssertionError(f"Prometheus ended while it started:\n{self._process.log}")
        with suppress(OSError), urllib.request.urlopen(f"{self._url}/-/ready", timeout=5) as response:
            return bool(response.status == 200)
        return False

    def _get(self, what: str, **parts: str) -> Any:
        url = f"{self._url}/api/v1/{what}?{urllib.parse.urlencode(parts)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as response:
                return json.load(response)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"Prometheus, of {parts}: {error.read().decode()}") from None
