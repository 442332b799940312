"""The HTTP server: keys, plans, links to published files, metadata."""

from aperiodic.server.app import create_app
from aperiodic.server.auth.secret import Secrets
from aperiodic.server.run import reserve_port, serve

__all__ = ["Secrets", "create_app", "reserve_port", "serve"]
