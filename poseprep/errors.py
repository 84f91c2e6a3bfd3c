"""The one exception that means: the user can mend this."""


class InputError(Exception):
    """What was expected, what was found, and what to do.

    The command line prints it without a traceback and exits with code 2. Everything else
    that goes wrong is a bug and crashes loudly.
    """


class EngineError(RuntimeError):
    """What runs the networks has failed, or is gone: no video's fault, and no video's problem."""


class VideoError(InputError):
    """This one video cannot be read; the others can."""
