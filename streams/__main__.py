"""The command ``musee``, also ``python -m streams``.

Expected errors end it with their sentence and without a traceback: 2 for a wrong setting, 1 for the others. Anything
else is a bug and shows its traceback.
"""

import sys

import typer

from streams.cli import (
    admin,
    alerts,
    calendar,
    checks,
    data,
    dead_letters,
    displays,
    replays,
    run,
    schemas,
    simulate,
    why,
)
from streams.errors import ConfigError, StreamsError

app = typer.Typer(
    name="musee",
    help="Data&Musée: live headcounts and history from what doors, pages and guestbooks say.",
    epilog="Start with:  musee up",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
run.register(app)
data.register(app)
replays.register(app)
simulate.register(app)
checks.register(app)
admin.register(app)
calendar.register(app)
alerts.register(app)
displays.register(app)
schemas.register(app)
dead_letters.register(app)
why.register(app)


def main() -> None:
    """Run the command and exit."""
    try:
        app()
    except ConfigError as error:
        sys.exit(_told(error, 2))
    except StreamsError as error:
        sys.exit(_told(error, 1))


def _told(error: StreamsError, code: int) -> int:
    print(error, file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
