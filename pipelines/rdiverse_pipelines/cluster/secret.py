"""The client Secret, which a release may have: certificates and a token for its servers."""

import os
from pathlib import Path

from rdiverse.grpcio_kit import tls

FOLDER = Path("/etc/rdiverse/client")
TOKEN_VARIABLE = "RDIVERSE_TOKEN_FILE"  # noqa: S105 - the name of a variable


def use_client_secret(folder: Path = FOLDER) -> None:
    """Have this process's clients use what the mounted Secret holds. The mount is empty when there is no Secret."""
    if (folder / "ca.crt").is_file():
        os.environ.setdefault(tls.VARIABLE, str(folder))
    if (folder / "token").is_file():
        os.environ.setdefault(TOKEN_VARIABLE, str(folder / "token"))
