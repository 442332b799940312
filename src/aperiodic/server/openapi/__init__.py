"""What the server says about itself: the OpenAPI document, and the catalog for language models."""

from aperiodic.server.openapi.routes import Documents, get_asyncapi, get_llms, get_llms_full, get_openapi

__all__ = ["Documents", "get_asyncapi", "get_llms", "get_llms_full", "get_openapi"]
