"""Importing files: recordings of raw frames, and Tardis CSV files."""

from aperiodic.engine.importing.files import Progress, find_files
from aperiodic.engine.importing.recordings import import_recordings
from aperiodic.engine.importing.report import IMPORTER_VERSION, FileReport
from aperiodic.engine.importing.tardis import import_tardis

__all__ = ["IMPORTER_VERSION", "FileReport", "Progress", "find_files", "import_recordings", "import_tardis"]
