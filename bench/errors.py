"""What stops the program: one sentence of what, one of what to do, and the exit code of the command.

Exit codes of every verb: 0 ok, 1 bug, 2 bad scenario or usage, 3 environment, 4 a trial failed,
5 gate failed or regression, 6 inconclusive, 130 interrupted, 141 nobody read the output
to its end.
"""

import signal

EXIT_OK = 0
EXIT_BUG = 1
EXIT_USAGE = 2
EXIT_ENVIRONMENT = 3
EXIT_TRIAL_FAILED = 4
EXIT_GATE_FAILED = 5
EXIT_INCONCLUSIVE = 6
EXIT_INTERRUPTED = 130
EXIT_UNREAD = 128 + signal.SIGPIPE
"""As a shell says it of other programs: ``… | head`` has read enough, and the verdict was not printed."""


class BenchError(Exception):
    """A reason to stop that the user can act on.

    ``message`` says what is wrong, ``hint`` what to do about it; neither ever holds a password.
    """

    exit_code = EXIT_BUG

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(BenchError):
    """The command line or a name on it is wrong."""

    exit_code = EXIT_USAGE


class ScenarioError(BenchError):
    """One or more mistakes in scenario files; ``mistakes`` holds a line for each."""

    exit_code = EXIT_USAGE

    def __init__(self, mistakes: list[str], hint: str = "") -> None:
        super().__init__("\n".join(mistakes), hint)
        self.mistakes = mistakes


class EnvironmentFault(BenchError):
    """This machine lacks something: a broker, a package, room on the disk, a free port."""

    exit_code = EXIT_ENVIRONMENT
