"""From the results of all parts to playlists, manifest and outputs. Pure."""
