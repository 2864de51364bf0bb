"""Whether a program of ours on this machine is ready: ``python ready.py PORT``, exit 0 or 1 with what is missing.

The health check of the image, which has no curl. ``http.client`` asks no proxy, whatever the environment names.
"""

import http.client
import sys


def main() -> None:
    """Ask once."""
    connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=3)
    try:
        connection.request("GET", "/ready")
        answer = connection.getresponse()
        said = answer.read(1_000).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        sys.exit(f"no answer: {error}")
    if answer.status != http.client.OK:
        sys.exit(said)


if __name__ == "__main__":
    main()
