"""The same client for code without asyncio, for example scripts.

    with SyncTertulia("http://127.0.0.1:8080", token) as tertulia:
        for conversation in tertulia.conversations(stage="OPEN"):
            print(conversation["conversationId"])

Every class and method has the name and the arguments of its asynchronous form. Bots are asynchronous only.
"""

from .administration import BulkJob, DeadLetter, Node, Ring, Webhook
from .client import Tertulia
from .connection import Connection
from .conversation import Conversation
from .event import Event
from .platform_service import PlatformAnswer, PlatformService

__all__ = [
    "BulkJob",
    "Connection",
    "Conversation",
    "DeadLetter",
    "Event",
    "Node",
    "PlatformAnswer",
    "PlatformService",
    "Ring",
    "Tertulia",
    "Webhook",
]
