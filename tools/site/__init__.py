"""``python -m tools.site [FOLDER]``: the documentation as a site, with every link in it checked."""
