"""A transport for the library that asks the provider: each connection is the guard's, to an address that it passed.

Names stay in Host, in the certificate's check and in SNI; redirects go through the same transport, and so through the
same guard.
"""

import socket
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NewConnectionError

from generations.guard import Guard

SECONDS = 5.0


def _connected(connection: Any, guard: Guard) -> socket.socket:
    try:
        return guard.connect(connection._dns_host, connection.port, SECONDS)
    except OSError as error:
        raise NewConnectionError(connection, str(error)) from error


def pools(guard: Guard) -> dict[str, type[HTTPConnectionPool]]:
    """What makes connections, by scheme."""

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _connected(self, guard)

    class Encrypted(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _connected(self, guard)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class EncryptedPool(HTTPSConnectionPool):
        ConnectionCls = Encrypted

    return {"http": PlainPool, "https": EncryptedPool}


class GuardedAdapter(HTTPAdapter):
    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = pools(self._guard)
