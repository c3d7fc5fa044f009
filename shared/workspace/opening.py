"""From the setting to the work space."""

from shared.workspace.shared_folder import SharedFolder
from shared.workspace.space import WorkSpace


def open_workspace(url: str) -> WorkSpace:
    """The work space at an address.

    Raises:
        ValueError: the address is none of a work space.
    """
    return SharedFolder(url)
