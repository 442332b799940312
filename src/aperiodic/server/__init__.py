"""The HTTP server: keys, plans, links to published files, metadata."""

from aperiodic.server.app import create_app
from aperiodic.server.run import serve
from aperiodic.server.secret import Secrets

__all__ = ["Secrets", "create_app", "serve"]
