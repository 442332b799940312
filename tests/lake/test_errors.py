from __future__ import annotations

import errno
import sqlite3

import pytest
from obstore.exceptions import GenericError
from sqlalchemy.exc import OperationalError

from aperiodic.lake.errors import reason_of


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (PermissionError(errno.EACCES, "Permission denied", "/home/secret"), "Permission denied"),
        (
            GenericError(
                "Generic LocalFileSystem error: Unable to copy data to file: No space left on device (os error 28)"
            ),
            "No space left on device",
        ),
        (GenericError("Error performing GET https://key:hunter2@host/bucket in 2s"), "GenericError"),
        (
            OperationalError("SELECT 1", {}, sqlite3.OperationalError("database is locked")),
            "database is locked",
        ),
        (OperationalError("SELECT 1", {}, Exception("user=me password=hunter2")), "Exception"),
    ],
    ids=str,
)
def test_the_reason_is_that_of_the_system_and_holds_no_address(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason
