"""The one exception that means: the user can mend this."""


class InputError(Exception):
    """What was expected, what was found, and what to do.

    The command line prints it without a traceback and exits with code 2. Everything else
    that goes wrong is a bug and crashes loudly.
    """


class VideoError(InputError):
    """This one video cannot be read; the others can."""
