"""What holds for all tests."""

from hypothesis import settings

# A busy machine must not fail a property: how long an example takes says nothing about whether it holds.
settings.register_profile("millrace", deadline=None)
settings.load_profile("millrace")
