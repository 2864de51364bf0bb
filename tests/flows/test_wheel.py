"""The built wheel in an environment of its own, outside the checkout: the command works with what it carries."""

import os
import signal
import subprocess
import sys
import venv
from pathlib import Path

import httpx2
import pytest

from tests.beds import free_port, wait_for

ROOT = Path(__file__).resolve().parents[2]
PORTS = ("console", "gateway", "agents", "sink", "kafka", "kafka_controller", "redis", "clickhouse")


def _run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


@pytest.mark.timeout(600)
def test_the_wheel_alone_brings_up_the_stack_and_replays_a_recording(tmp_path: Path, cache: Path) -> None:
    built = tmp_path / "dist"
    _run(sys.executable, "-m", "build", "-q", "--wheel", "--no-isolation", "--outdir", built, ROOT, cwd=tmp_path)
    (wheel,) = built.glob("*.whl")
    home = tmp_path / "elsewhere"
    venv.create(home / "env", with_pip=True)
    python, musee = home / "env/bin/python", home / "env/bin/musee"
    pip = (python, "-m", "pip", "install", "-q", "--disable-pip-version-check")
    _run(*pip, "--require-hashes", "-r", ROOT / "requirements/run.txt", cwd=home)
    _run(*pip, "--no-deps", wheel, cwd=home)
    ports = {name: free_port() for name in PORTS}
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    env |= {f"MUSEE_{name.upper()}_PORT": str(port) for name, port in ports.items()} | {"MUSEE_CACHE": str(cache)}

    with (home / "up.log").open("wb") as log:
        up = subprocess.Popen([musee, "up"], cwd=home, env=env, stdout=log, stderr=log)
    try:
        page = f"http://127.0.0.1:{ports['console']}"
        wait_for(lambda: b"dev key" in (home / "up.log").read_bytes(), within_s=90, what="the stack of the wheel")
        replayed = _run(musee, "replay", "calit2", "--speed", "max", cwd=home, env=env)
        checked = _run(musee, "check", "calit2", cwd=home, env=env)
        shown = httpx2.get(page).text
    finally:
        up.send_signal(signal.SIGINT)
        up.wait(60)

    assert "14,173" in replayed
    assert "0 differences" in checked
    assert 'data-figure="inside"' in shown
    assert up.returncode == 0
