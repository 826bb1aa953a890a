"""`python -m tests.checker`: judge the topic and the database named in the environment.

Prints a JSON object; exit code 0 where topic and tables agree, 3 where they differ.
"""

import json
import os
import sys

from tests.checker.judge import judge


def main() -> int:
    """Read KAFKA_BOOTSTRAP_SERVERS, KAFKA_TOPIC and DATABASE_URL."""
    verdict = judge(
        os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092"),
        os.environ["DATABASE_URL"],
        os.environ.get("KAFKA_TOPIC", "campaign-events"),
    )
    sys.stdout.write(json.dumps(verdict.as_json(), indent=2) + "\n")
    return 0 if verdict.ok else 3


if __name__ == "__main__":
    sys.exit(main())
