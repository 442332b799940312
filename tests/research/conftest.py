from tests.client.conftest import _quick_and_isolated, fake

__all__ = ["_quick_and_isolated", "fake"]
