"""Where ``millrace`` begins."""

import sys
from importlib.util import find_spec


def main() -> None:
    """Run the command that the arguments are."""
    if not (find_spec("typer") and find_spec("rich")):
        print("millrace needs typer and rich: pip install 'millrace-client[cli]'", file=sys.stderr)
        raise SystemExit(2)
    from millrace_client.cli.root import app

    app(prog_name="millrace")


if __name__ == "__main__":
    main()
