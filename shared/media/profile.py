"""Encoding profiles, read from profiles.toml."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

ProfileName = Literal["fast", "balanced", "quality"]
PROFILE_NAMES: tuple[ProfileName, ...] = get_args(ProfileName)

Resolution = Literal["144p", "240p", "360p", "480p", "540p", "720p", "1080p", "1440p", "2160p"]
RESOLUTIONS: tuple[Resolution, ...] = get_args(Resolution)
"""The renditions that a job may ask for, by the short side in pixels, ascending."""

AUDIO_ONLY: Literal["audio"] = "audio"
"""What a job asks for, instead of resolutions, that wants the audio alone."""

Wanted = Literal[Resolution, "audio"]
"""All that may stand among a job's resolutions."""


class RungSettings(BaseModel):
    """Quality target (x264's crf) and cap of the rate in kilobits per second at 30 frames per second."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    crf: float
    max_rate: int


class Profile(BaseModel):
    """A named set of encoder settings; see profiles.toml for the members."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    preset: str
    encoder_params: str
    audio_rate: int
    buffer_seconds: float
    rungs: dict[Resolution, RungSettings]

    def rung(self, resolution: str) -> RungSettings:
        """Settings of a resolution. Raises: KeyError: there is no such resolution."""
        return self.rungs[resolution]  # type: ignore[index]


def short_side(resolution: str) -> int:
    """Pixels of the short side that a resolution's name stands for."""
    return int(resolution.removesuffix("p"))


@cache
def load_profiles() -> dict[str, Profile]:
    """All profiles by name."""
    text = files("shared.media").joinpath("profiles.toml").read_text()
    return {name: Profile.model_validate(values) for name, values in tomllib.loads(text).items()}


def load_profile(name: str) -> Profile:
    """A profile by name. Raises: KeyError: there is none of that name."""
    return load_profiles()[name]
