"""The release. It stands here and not only in the distribution's metadata, which takes 5 ms to look up."""

__version__ = "1.0.0"
