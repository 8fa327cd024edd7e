#!/usr/bin/env python3
"""Push one message from the command line: python scripts/push.py v1.test.1 greeted '{"hello": "world"}'"""

import argparse
import os
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / "node"))  # after an installed stork_node

FAILED, WRONG_USAGE = 1, 2

try:
    from msgspec import Raw

    from stork_node.clients.publisher import Publisher
    from stork_node.errors import ConfigError, InvalidPush, PushFailed
    from stork_node.transport.endpoints import Port, publish_server_endpoint
except ImportError as missing:
    print(f"push.py: {missing}: run it with .venv/bin/python, or pip install pyzmq msgspec", file=sys.stderr)
    sys.exit(WRONG_USAGE)

EPILOG = """environment:
  STORK_PUBLISH_SERVER  host of the publish server, unless --endpoint is given (127.0.0.1)
  STORK_BUS_SECRET      the deployment's secret, if it has one

Prints the push's position. Exit status: 0 stored, 1 refused or not confirmed, 2 wrong usage."""


def default_endpoint(answered: bool) -> str:
    return publish_server_endpoint(Port.ROUTER if answered else Port.PULL, os.environ)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="push.py",
        description="Push one message to every subscriber of its topics.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("topics", metavar="TOPIC[,TOPIC…]", help="such as v1.test.1")
    parser.add_argument("type", metavar="TYPE", help="such as order_paid")
    parser.add_argument("data", metavar="DATA-JSON", nargs="?", default="null", help="such as '{\"id\": 42}' (null)")
    parser.add_argument("--endpoint", help="tcp://HOST:5557; with --no-answer tcp://HOST:5555")
    parser.add_argument("--timeout-ms", type=int, default=2000, help="how long to wait for the answer (2000)")
    parser.add_argument("--no-answer", action="store_true", help="do not wait for an answer: the push may be lost")
    return parser.parse_args()


def main() -> int:
    arguments = parse_arguments()
    answered = not arguments.no_answer
    try:
        with Publisher(
            arguments.endpoint or default_endpoint(answered),
            arguments.timeout_ms,
            os.environ.get("STORK_BUS_SECRET"),
            answered=answered,
            linger_ms=arguments.timeout_ms,
        ) as publisher:
            position = publisher.push(
                arguments.topics.split(","), type=arguments.type, data=Raw(arguments.data.encode())
            )
    except (ConfigError, InvalidPush) as error:
        print(f"push.py: {error}", file=sys.stderr)
        return WRONG_USAGE
    except PushFailed as error:
        print(f"push.py: {error}", file=sys.stderr)
        return FAILED
    print(position or "sent")
    if position.warning:
        print(f"push.py: warning: {position.warning}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
