"""The notebooks as pages, and as files for Jupyter."""

from typing import Any, Final

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.status_codes import HTTP_404_NOT_FOUND
from markupsafe import Markup

from aperiodic.market.errors import unknown_value
from aperiodic.server.errors import RequestError
from aperiodic.server.links.signing import origin_of
from aperiodic.server.service import Service
from aperiodic.server.site.notebooks.model import NOTEBOOKS, as_ipynb, notebook
from aperiodic.server.site.rendering import render_page
from aperiodic.server.wheel import WHEEL_PATH

__all__ = ["get_notebook", "get_notebooks"]

_FILE: Final = ".ipynb"


@get("/notebooks", sync_to_thread=False)
def get_notebooks(request: Request[Any, Any, Any], service: NamedDependency[Service]) -> Response[bytes]:
    """Answer with the list of notebooks."""
    return render_page(
        request,
        service,
        "notebooks.html",
        title="Notebooks",
        description="Short notebooks with their real output: first frames, order flow, two clocks, depth, derivatives, a study with costs, live rows.",
        notebooks=[notebook(name) for name in NOTEBOOKS],
    )


@get("/notebooks/{name:str}", sync_to_thread=False)
def get_notebook(
    request: Request[Any, Any, Any], name: FromPath[str], service: NamedDependency[Service]
) -> Response[bytes]:
    """Answer with a notebook as a page, or, where the name ends in `.ipynb`, as a file."""
    stem = name.removesuffix(_FILE)
    if stem not in NOTEBOOKS:
        raise RequestError([unknown_value("notebook", stem, NOTEBOOKS)], status=HTTP_404_NOT_FOUND)
    shown = notebook(stem)
    if name.endswith(_FILE):
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        origin = origin_of(request, service.settings.public_url)
        body = as_ipynb(
            shown, api=f"{origin}/api/v1", wheel=f"{origin}{WHEEL_PATH}", demo_key=service.settings.demo_key
        )
        return Response(body, headers=headers, media_type="application/x-ipynb+json")
    place = NOTEBOOKS.index(stem)
    return render_page(
        request,
        service,
        "notebook.html",
        title=shown.title,
        description=shown.summary,
        notebook=shown,
        # The figures are files of this package, made by its own notebooks.
        figure=Markup,
        following=notebook(NOTEBOOKS[place + 1]) if place + 1 < len(NOTEBOOKS) else None,
    )
