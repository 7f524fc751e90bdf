"""Kubeflow Pipelines' API: whether it is there, lets us in, and is what it should be, in words that say what to do."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rdiverse.training.launch.api_errors import error_message

HEALTH = "/apis/v2beta1/healthz"
SECONDS = 10.0
INSTALL = (
    "Install Kubeflow Pipelines 2.17, or reach it with:"
    " kubectl port-forward -n kubeflow svc/ml-pipeline 8888:8888 (then --endpoint http://127.0.0.1:8888)"
)
NEW_TOKEN = (
    "Get a new token: kubectl create token pipeline-runner -n <namespace> --audience pipelines.kubeflow.org > token"  # noqa: S105
    " (then --token-file token)"
)


class EndpointError(RuntimeError):
    """Kubeflow Pipelines cannot be used; the text says why and what to do."""


@dataclass(frozen=True)
class Endpoint:
    """Where Kubeflow Pipelines answers and who asks."""

    url: str
    token: str = ""
    ca_file: Path | None = None

    def check(self) -> None:
        """Ask for a sign of life. Raises EndpointError."""
        import urllib3

        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        ca_file = str(self.ca_file) if self.ca_file else None
        pool = urllib3.PoolManager(timeout=SECONDS, retries=False, ca_certs=ca_file)
        try:
            answer = pool.request("GET", self.url.rstrip("/") + HEALTH, headers=headers, redirect=False)
        except (urllib3.exceptions.LocationValueError, urllib3.exceptions.URLSchemeUnknown) as error:
            raise EndpointError(f"--endpoint {self.url!r}: must be a URL, as in http://127.0.0.1:8888") from error
        except urllib3.exceptions.SSLError as error:
            raise EndpointError(f"{self.url}: its certificate is not trusted ({error}). Give its CA with --ca-file") from error
        except urllib3.exceptions.HTTPError as error:
            raise EndpointError(
                f"{self.url}: Kubeflow Pipelines cannot be reached: {error_message(error)}. {INSTALL}"
            ) from error
        if answer.status in {301, 302, 303, 307, 401, 403}:
            what = "the token was refused: it has expired, or is for something else" if self.token else "it asks for a token"
            raise EndpointError(f"{self.url}: {what} (HTTP {answer.status}). {NEW_TOKEN}")
        try:
            healthy = answer.status == 200 and isinstance(json.loads(answer.data), dict)
        except ValueError:
            healthy = False
        if not healthy:
            raise EndpointError(
                f"{self.url}: something answers, but not Kubeflow Pipelines' API v2beta1 (HTTP {answer.status}). {INSTALL}"
            )

    def client(self) -> Any:
        """Kubeflow's client, after `check`."""
        self.check()
        from kfp import Client

        return Client(host=self.url, existing_token=self.token or None, ssl_ca_cert=str(self.ca_file) if self.ca_file else None)


def refused(what: str, error: Exception) -> EndpointError:
    """What Kubeflow Pipelines said when it would not do something."""
    status = getattr(error, "status", None)
    hint = f" {NEW_TOKEN}" if status in {401, 403} else ""
    return EndpointError(f"Kubeflow Pipelines does not {what}: {error_message(error)}.{hint}")
