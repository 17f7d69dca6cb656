"""The errors that a user can fix; anything else that is raised is a bug and keeps its traceback.

StancelineError             one line on stderr, exit status 1
├── UsageError              the command was called wrongly, exit status 2
├── ConfigError             a recipe, suite or targets file
├── InputError              an article or a table that cannot be read
├── LabelError              a labels file, or labels that do not fit each other
├── CheckpointError         a checkpoint that is missing, damaged or of another format
└── OutputError             an output that exists already or cannot be written
"""


class StancelineError(Exception):
    """Base of every error that names what went wrong, where, and what to do."""

    exit_status = 1


class UsageError(StancelineError):
    """The command line or the call does not make sense."""

    exit_status = 2


class ConfigError(StancelineError):
    """A configuration file holds something that it may not hold."""


class InputError(StancelineError):
    """An input cannot be read as articles."""


class LabelError(StancelineError):
    """Labels are illegal, missing, doubled, or do not match what they are compared with."""


class CheckpointError(StancelineError):
    """A checkpoint folder cannot be trusted."""


class OutputError(StancelineError):
    """An output cannot be written where it was asked for."""
