"""Which version this is."""

from importlib import metadata


def version() -> str:
    """Of the distribution; 0 where it is used without being installed."""
    try:
        return metadata.version("millrace-client")
    except metadata.PackageNotFoundError:
        return "0"
