"""Verbs of the ``musee`` command, called in this process: what they print and how they end."""

from dataclasses import dataclass

from typer.testing import CliRunner

from streams.__main__ import app
from streams.config import Settings
from streams.errors import ConfigError, StreamsError
from tests.programs import environment


@dataclass(frozen=True)
class Told:
    """How a verb ended."""

    returncode: int
    stdout: str
    stderr: str


def musee(settings: Settings, *arguments: str) -> Told:
    """Call a verb with ``settings``; an expected error ends it as it ends the command."""
    result = CliRunner().invoke(app, list(arguments), env=environment(settings))
    if isinstance(result.exception, StreamsError):
        code = 2 if isinstance(result.exception, ConfigError) else 1
        return Told(code, result.stdout, f"{result.stderr}{result.exception}\n")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Told(result.exit_code, result.stdout, result.stderr)
