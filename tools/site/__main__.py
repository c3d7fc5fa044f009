"""``python -m tools.site [FOLDER]``: build the site into ``FOLDER/html``, by default ``build/docs/html``."""

import shutil
import subprocess
import sys
from pathlib import Path

from tools.site.links import problems
from tools.site.reference import reference
from tools.site.stage import stage

ROOT = Path(__file__).resolve().parents[2]
CONFIGURATION = Path(__file__).parent / "zensical.toml"


def build(folder: Path) -> list[str]:
    """Build the site; what is wrong with its links.

    Args:
        folder: gets ``pages``, what the site is made from, and ``html``. What is there from before goes.

    Raises:
        CalledProcessError: Zensical has failed, or warned.
    """
    shutil.rmtree(folder, ignore_errors=True)
    pages = folder / "pages"
    pages.mkdir(parents=True)
    shutil.copy(CONFIGURATION, folder)
    stage(ROOT, pages)
    for name, content in reference().items():
        (pages / name).parent.mkdir(parents=True, exist_ok=True)
        (pages / name).write_bytes(content)
    zensical = [
        sys.executable,
        "-m",
        "zensical",
        "build",
        "--strict",
        "--config-file",
        str(folder / CONFIGURATION.name),
    ]
    subprocess.run(zensical, check=True, stdout=subprocess.DEVNULL)
    # Zensical passes over names with a dot in front, which some pages link to.
    for path in pages.rglob(".*"):
        shutil.copy(path, folder / "html" / path.relative_to(pages))
    return list(problems(folder / "html"))


def main() -> None:
    """Build, and fail where a link leads nowhere."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/docs").absolute()
    wrong = build(folder)
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    if wrong:
        sys.exit(1)
    print(f"The documentation is in {folder / 'html'}: open index.html.")


if __name__ == "__main__":
    main()
