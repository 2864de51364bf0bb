"""The image's health check, asked of the real programs."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import NAMES, World

READY = Path(__file__).resolve().parents[2] / "deploy/ready.py"


@pytest.mark.parametrize("name", NAMES)
def test_the_health_check_of_the_image_finds_each_program_ready(world: World, name: str) -> None:
    port = getattr(world.settings, f"{name}_port")

    done = subprocess.run([sys.executable, READY, str(port)], capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stderr) == (0, "")
