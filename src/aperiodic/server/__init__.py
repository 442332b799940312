"""The HTTP server: keys, plans, links to published files, metadata."""

from aperiodic.server.app import create_app
from aperiodic.server.plans import PLANS, Plan, plan
from aperiodic.server.run import serve
from aperiodic.server.secret import Secrets

__all__ = ["PLANS", "Plan", "Secrets", "create_app", "plan", "serve"]
