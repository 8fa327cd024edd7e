"""The vectors that the PHP client shares with Python: pushes, and the answers to them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from php_process import DEADLINE_S, PLAIN
from tests.malformed import NOW
from tests.vector_files import cases

from stork_node.errors import InvalidPush
from stork_node.protocol.push import decode_push


def php(file: str, group: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each case of a group, with what vectors.php says of it."""
    command = [*PLAIN, str(Path(__file__).with_name("vectors.php")), file, group]
    run = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    said = [json.loads(line) for line in run.stdout.splitlines()]
    return list(zip(cases(file, group), said, strict=True))


def test_a_push_is_named_or_sent_as_the_vectors_say() -> None:
    for case, said in php("push_documents", "pushed"):
        assert said.get("thrown") == case["php"], case["name"]


def test_the_publish_server_says_the_rest() -> None:
    for case, said in php("push_documents", "pushed"):
        if "result" not in said:
            continue
        document = said["result"].encode()
        if case["node"] is None:
            decode_push(document, NOW)
            continue
        with pytest.raises(InvalidPush) as refused:
            decode_push(document, NOW)
        assert refused.value.reason == case["node"], case["name"]


def test_an_answer_is_read_or_is_none() -> None:
    for case, said in php("push_answers", "read"):
        expected = case["answer"] and {name: value for name, value in case["answer"].items() if name != "ok"}
        assert said.get("result") == expected, case["name"]
        assert ("thrown" in said) == (case["answer"] is None), case["name"]


def test_integers_that_javascript_rounds_are_found() -> None:
    for case, said in php("rounded_integers", "texts"):
        assert said == {"result": case["number"]}, case["name"]


def test_any_text_is_the_id_of_a_feed() -> None:
    for case, said in php("feed_ids", "ids"):
        assert said == {"result": case["id"]}, case["name"]


def test_signatures_of_webhooks_are_taken_or_refused() -> None:
    for case, said in php("webhooks", "signatures"):
        assert said == {"result": case["good"]}, case["name"]
