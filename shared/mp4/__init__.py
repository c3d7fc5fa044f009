"""Reading and writing MP4: boxes, initialization segments, closed captions. Pure."""
