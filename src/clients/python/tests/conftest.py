"""One platform and one service for all tests that do not end them."""

import os
import pathlib
from collections.abc import Iterator

import pytest
from tertulia.testing import Service, StandIn

# The processes that tests start have the package, too.
os.environ["PYTHONPATH"] = str(pathlib.Path(__file__).parent.parent)

MORE_CONNECTIONS = """
[[connections]]
id = "someone"
account = "12345678"
role = "consumer"
"""


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    with StandIn() as platform, Service(platform, configuration=MORE_CONNECTIONS) as service:
        yield service


@pytest.fixture(scope="session")
def platform(service: Service) -> StandIn:
    return service.platform
