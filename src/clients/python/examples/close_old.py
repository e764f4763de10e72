import sys

from tertulia import SyncTertulia, models

with SyncTertulia() as tertulia:
    old = models.BulkFilter(updatedBefore=sys.argv[1])  # such as 2026-11-01T00:00:00Z
    print(tertulia.try_bulk_job("close", old)["matched"], "conversations match")
    job = tertulia.start_bulk_job("close", old, rate=20)
    print("job", job["id"])
    for conversation in tertulia.conversations(stage="OPEN"):
        last = conversation.get("lastMessage")
        print(conversation["conversationId"], last.get("text") if last else "")
