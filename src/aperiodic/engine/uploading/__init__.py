"""Sealed recordings → the store, while others are recorded and read; and off the disk once nothing needs them there."""

from aperiodic.engine.uploading.aside import uploading
from aperiodic.engine.uploading.telling import Told, read_told
from aperiodic.engine.uploading.uploader import Uploader

__all__ = ["Told", "Uploader", "read_told", "uploading"]
