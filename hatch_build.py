"""Refuses to build a package without the site's JavaScript libraries: its pages would lack their charts silently."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUNDLES = ("charts.js", "htmx.js", "parquet.js", "uplot.css")


class RequireBundles(BuildHookInterface):  # type: ignore[type-arg]
    """Runs before a wheel or a source distribution is built."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 (hatchling's signature)
        """Look for the bundles; an editable installation reads the checkout, where `make site` may come later."""
        folder = Path(self.root) / "src/aperiodic/server/site/static/vendor"
        missing = [name for name in BUNDLES if not (folder / name).is_file()]
        if missing and version != "editable":
            self.app.abort(
                f"The site's libraries are not bundled ({', '.join(missing)} missing in {folder}). "
                "Run `make site` first, or install the checkout with pip install -e ."
            )
