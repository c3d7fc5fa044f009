"""``python -m tools.documents``: write every generated document that is not current."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Write what has changed and name it."""
    # The client is a distribution of its own, which need not be installed for its commands to be described.
    sys.path.insert(0, str(ROOT / "client/src"))
    from tools.documents.catalogue import documents

    for name, text in documents(ROOT).items():
        path = ROOT / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            print(f"wrote {name}")


if __name__ == "__main__":
    main()
