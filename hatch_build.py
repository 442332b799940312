"""Refuses to build a package without the site's JavaScript libraries and face, whose pages would lack their charts silently."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUNDLES = (
    "charts.js",
    "htmx.js",
    "inter.LICENSE.txt",
    "inter.css",
    "inter-latin-wght-normal.woff2",
    "parquet.js",
    "uplot.css",
)


class RequireBundles(BuildHookInterface):  # type: ignore[type-arg]
    """Runs before a wheel or a source distribution is built."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Look for the bundles; an editable installation reads the checkout, where `make site` may come later."""
        if version == "editable":
            return
        folder = Path(self.root) / "src/aperiodic/server/site/static/vendor"
        missing = [name for name in BUNDLES if not (folder / name).is_file()]
        if missing:
            self.app.abort(
                f"The site's libraries are not bundled ({', '.join(missing)} missing in {folder}). "
                "Run `make site` first, or install the checkout with pip install -e ."
            )
        if self.target_name == "wheel":
            build_data["force_include"]["CHANGELOG.md"] = "aperiodic/server/site/CHANGELOG.md"  # the site shows it
