"""A messaging platform and a service on loopback, for tests of bots without an account.

    import pytest
    from tertulia.testing import Service, StandIn

    @pytest.fixture(scope="session")
    def service():
        with StandIn() as platform, Service(platform) as service:
            yield service

Both need the program `tertulia`, on the PATH or named by `TERTULIA_BIN`. They listen on free ports, and end with the
`with` block, also if the test fails.
"""

from .service import Service
from .stand_in import LedgerEntry, StandIn, Traffic

__all__ = ["LedgerEntry", "Service", "StandIn", "Traffic"]
