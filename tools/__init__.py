"""Commands for developers: generated documents, pinned requirements of the images, measurements."""
