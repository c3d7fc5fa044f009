"""What holds for all tests."""

import pytest
from hypothesis import settings

# A busy machine must not fail a property: how long an example takes says nothing about whether it holds.
settings.register_profile("thorough", deadline=None, max_examples=100)
# For `make test-unit`, which is to answer in seconds; `make test` takes the other one.
settings.register_profile("quick", parent=settings.get_profile("thorough"), max_examples=15)
settings.load_profile("thorough")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Measure no coverage in properties: a hundred examples take twice as long, and the examples by hand run the same lines."""
    for item in items:
        if item.get_closest_marker("hypothesis"):
            item.add_marker("no_cover")
