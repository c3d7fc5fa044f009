"""``python -m tools.documents``: write every generated document that is not current."""

from pathlib import Path

from tools.documents.catalogue import documents

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Write what has changed and name it."""
    for name, text in documents(ROOT).items():
        path = ROOT / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            print(f"wrote {name}")


if __name__ == "__main__":
    main()
