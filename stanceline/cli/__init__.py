"""The command line: parses, calls one function, prints. Commands are imported when they are called.

Exit status: 0 done; 1 nothing usable, or a check failed; 2 wrong usage; 3 finished, some inputs rejected;
4 below `--fail-under` or the promotion gate; 130 interrupted, can be resumed.
"""

import importlib
import os
import sys
from typing import Any

import click

from stanceline._version import __version__
from stanceline.errors import StancelineError

EXIT_REJECTED = 3
EXIT_BELOW = 4
EXIT_INTERRUPTED = 130

# name -> module of this package, which has a click command `NAME_command`, and its help line. The help stands here
# so that `--help` imports none of them.
_COMMANDS = {
    "classify": ("classify", "Label each sentence of articles with its stances and its sentiment."),
    "train": ("train", "Fine-tune a checkpoint on labelled sentences."),
    "labels": ("labels", "Check, merge, split, import and export labels."),
    "evaluate": ("evaluate", "Score a checkpoint against labels, beside floors, with a report."),
    "compare": ("compare", "Tell whether one checkpoint is really better than another."),
    "review": ("review", "Look at predictions in the browser, and correct them."),
    "report": ("report", "Turn predictions into a page that an analyst can hand on."),
    "models": ("models", "List the checkpoints that there are."),
    "promote": ("promote", "Make a checkpoint the default of `classify`, if it is not worse."),
}


class _LazyGroup(click.Group):
    """A group whose commands are imported only when one of them is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"stanceline.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # The reader of the pipe went away, as `head` does: nothing is wrong, and nothing can be written any more.
            # Caught here because click would end with status 1.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, package_name="stanceline", message="%(prog)s %(version)s")
def cli() -> None:
    """Who stands where: the stance of every sentence toward your targets, and its sentiment."""


def main() -> None:
    """Runs the command line and exits with its status."""
    try:
        status = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        status = _interrupted()
    except KeyboardInterrupt:
        status = _interrupted()
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except StancelineError as error:
        click.echo(f"stanceline: {error}", err=True)
        status = error.exit_status
    sys.exit(status if isinstance(status, int) else 0)


def _interrupted() -> int:
    click.echo("stanceline: interrupted", err=True)
    return EXIT_INTERRUPTED
