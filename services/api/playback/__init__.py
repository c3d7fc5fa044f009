"""A job's output out of a private bucket: playlists that lead players to presigned addresses."""
