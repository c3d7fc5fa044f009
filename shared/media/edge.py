"""How far a job has got whose output can be played before it is complete: the growing edge of its playlists. Pure.

Parts are uploaded in any order, by any number of uploaders, and a playlist lists segments without a gap. So each upload notes in
the log which parts are there, and who has to make the playlists longer. It is one uploader at a time, for two would overtake
each other in the bucket, where the last write wins; and it is nobody while there is too little to add.
"""

from typing import Self

from pydantic import BaseModel, ConfigDict

from shared.ids import PartName

GROWTH = 8
"""Playlists are written anew once they get longer by one part in so many.

Each time they are written whole. So all that is ever written of a playlist is at most ``GROWTH + 2`` times its final size,
however long the film is, where one write for each part would be quadratic; and what is uploaded and not listed yet is at most
a ninth of it, or one part.
"""


class Edge(BaseModel):
    """The edge after an event.

    Attributes:
        uploaded: the parts that are in the bucket, as spans of places in the release order: first, and one after the last.
        listed: how many parts from the beginning of the release order the playlists list; 0 where there are no playlists.
        lister: the part whose uploader is to write the next playlists, or finish the job where all parts are there; None where
            that has to wait for further parts.
    """

    model_config = ConfigDict(frozen=True)
    uploaded: tuple[tuple[int, int], ...] = ()
    listed: int = 0
    lister: PartName | None = None

    @property
    def together(self) -> int:
        """How many parts are uploaded from the beginning of the release order without a gap."""
        return self.uploaded[0][1] if self.uploaded and self.uploaded[0][0] == 0 else 0

    def with_part(self, place: int) -> Self:
        """The edge with one more part, by its place in the release order."""
        spans: list[tuple[int, int]] = []
        for first, end in sorted([*self.uploaded, (place, place + 1)]):
            if spans and first <= spans[-1][1]:
                spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
            else:
                spans.append((first, end))
        return self.model_copy(update={"uploaded": tuple(spans)})

    def is_due(self, *, tracks: int, parts: int) -> bool:
        """Whether there is something to do for a lister.

        Args:
            tracks: how many parts are whole tracks of sound and text, which come first in the release order; parts: of the job.
        """
        if self.together == parts:
            return True
        if self.listed == 0:
            # The first pictures, with all of the sound.
            return self.together > tracks
        # Rounded up, so that each length is longer than the one before by the share at least.
        return self.together - self.listed >= max(1, -(-(self.listed - tracks) // GROWTH))

    def given_to(self, part: str, *, tracks: int, parts: int) -> Self:
        """The edge with this part's uploader as the lister, if nobody is and there is something to do."""
        if self.lister is None and self.is_due(tracks=tracks, parts=parts):
            return self.model_copy(update={"lister": part})
        return self
