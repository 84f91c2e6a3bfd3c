"""The toolkit's version, as installed."""

from importlib.metadata import PackageNotFoundError, version


def toolkit_version() -> str:
    """Such as `0.1.0`; `unknown` where the code runs without being installed."""
    try:
        return version("slr-toolkit")
    except PackageNotFoundError:
        return "unknown"
