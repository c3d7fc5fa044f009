"""What holds for all tests."""

from hypothesis import settings

# A busy machine must not fail a property: how long an example takes says nothing about whether it holds.
settings.register_profile("thorough", deadline=None, max_examples=100)
# For `make test-unit`, which is to answer in seconds; `make test` takes the other one.
settings.register_profile("quick", parent=settings.get_profile("thorough"), max_examples=15)
settings.load_profile("thorough")
