"""Channels, topics and signatures of Pusher's protocol in PHP: the vectors of the other languages."""

import json
import subprocess
from typing import Any

from php_process import PLAIN, ROOT
from tests.vector_files import cases, expand

PROGRAM = """
declare(strict_types=1);
require $argv[1];
[$given, $made] = [json_decode(stream_get_contents(STDIN), true), []];
foreach ($given['topics'] as $channel) {
    try {
        $made['topics'][] = Stork\\Pusher\\ChannelTopic::of($channel);
    } catch (Stork\\InvalidPush) {
        $made['topics'][] = null;
    }
}
foreach ($given['signatures'] as $each) {
    $signer = new Stork\\Pusher\\Signer('key', $each['secret']);
    $made['signatures'][] = isset($each['user_data'])
        ? $signer->user($each['socket_id'], $each['user_data'])
        : $signer->channel($each['socket_id'], $each['channel'], $each['channel_data'] ?? null);
}
foreach (['1.2:private-a', '1', '', "1.2\\n"] as $id) {
    try {
        (new Stork\\Pusher\\Signer('key', 's'))->channel($id, 'private-a');
        $made['signed'][] = $id;
    } catch (InvalidArgumentException) {
    }
}
echo json_encode($made);
"""


def made(topics: list[str], signatures: list[Any]) -> dict[str, Any]:
    done = subprocess.run(
        [*PLAIN, "-r", PROGRAM, "--", str(ROOT / "node/php/autoload.php")],
        input=json.dumps({"topics": topics, "signatures": signatures}),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_channels_and_signatures_are_those_of_the_other_languages() -> None:
    topics = {case["channel"]: case["topic"] for case in cases("pusher", "topics")}
    refused = [expand(case["channel"]) for case in cases("pusher", "refused_channels")]
    signatures = cases("pusher", "channel_signatures") + cases("pusher", "user_signatures")
    answer = made([*topics, *refused], signatures)
    assert answer["topics"] == [*topics.values(), *(None for _ in refused)]
    assert [each["auth"] for each in answer["signatures"]] == [f"key:{each['signature']}" for each in signatures]
    assert "signed" not in answer
