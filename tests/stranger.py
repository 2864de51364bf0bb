"""A stranger's path: a fresh clone in an empty folder, no environment, README's commands in order (``make stranger``).

Each command must end well and print what README promises behind its ``⇒``. The stack gets free ports; what README says
of 127.0.0.1:8080 and the others is put right before a command is typed.
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.beds import free_port
from tests.documents import commands, run

ROOT = Path(__file__).resolve().parents[1]
PORTS = {
    "CONSOLE": 8080, "GATEWAY": 8081, "AGENTS": 8082, "SINK": 8083, "KAFKA": 9092, "KAFKA_CONTROLLER": 9093,
    "REDIS": 6379, "CLICKHOUSE": 8123,
}  # fmt: skip
READY_S = 900.0  # with every package to fetch
SKIPPED = ("make ", ". .venv", "D=", "curl $D", "MUSEE_BIND", "musee display", "printf", "docker")


def main() -> int:
    """Walk the path; 1 if a promise was not kept."""
    ports = {name: free_port() for name in PORTS}
    with tempfile.TemporaryDirectory(prefix="stranger-") as empty:
        clone = Path(empty) / "data-musee"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        env = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        env |= {f"MUSEE_{name}_PORT": str(port) for name, port in ports.items()}
        began = time.monotonic()
        print("make up, in a fresh clone …", flush=True)
        up = subprocess.Popen(
            ["make", "up"], cwd=clone, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip
        lines: list[str] = []
        reader = threading.Thread(target=_read, args=(up, lines), daemon=True)
        reader.start()
        try:
            while not any(line.startswith("try 3") for line in lines):
                if up.poll() is not None or time.monotonic() - began > READY_S:
                    print("make up did not get ready:", *lines, sep="\n")
                    return 1
                time.sleep(0.2)
            print(f"ready after {time.monotonic() - began:.0f} s")
            return _walk(clone, env, ports)
        finally:
            os.killpg(up.pid, signal.SIGINT)
            up.wait(60)


def _read(up: "subprocess.Popen[str]", lines: list[str]) -> None:
    assert up.stdout is not None
    lines.extend(line.rstrip() for line in up.stdout)


def _walk(clone: Path, env: dict[str, str], ports: dict[str, int]) -> int:
    env = env | {"PATH": f"{clone / '.venv' / 'bin'}:{env['PATH']}"}
    instead = {f"127.0.0.1:{said}": f"127.0.0.1:{ports[name]}" for name, said in PORTS.items()}
    walked = 0
    for command in commands(clone / "README.md"):
        if command.promise is None or command.text.startswith(SKIPPED):
            continue
        try:
            run(command, clone, env, instead)
        except AssertionError as broken:
            print(broken)
            return 1
        walked += 1
        print(f"kept: {command.place}: {command.promise}", flush=True)
    print(f"{walked} promises of README kept")
    return 0 if walked else 1


if __name__ == "__main__":
    sys.exit(main())
