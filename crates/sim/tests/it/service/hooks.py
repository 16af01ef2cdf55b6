"""Messages for a hook, made by the packages of the standards: reads what is wanted as JSON, writes headers and bodies as JSON."""

import datetime
import json
import sys

from cloudevents.core.bindings.http import to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from standardwebhooks.webhooks import Webhook

asked = json.load(sys.stdin)
webhook = Webhook(asked["secret"])
now = datetime.datetime.now(tz=datetime.timezone.utc)


def message(id, headers, body):
    body = body if isinstance(body, str) else body.decode()
    signature = webhook.sign(msg_id=id, timestamp=now, data=body)
    signed = {"webhook-id": id, "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}
    return {"headers": {**{k.lower(): v for k, v in headers.items()}, **signed}, "body": body}


event = CloudEvent(
    attributes={"id": "7", "source": "/till", "type": "order.made", "subject": "Tee für zwei", "time": now, "region": "eu"},
    data={"pieces": 3},
)
structured = to_structured(event, JSONFormat())
binary = to_binary(event, JSONFormat())
plain = json.dumps({"type": "order.made", "timestamp": now.isoformat(), "data": {"pieces": 3}})
json.dump(
    {
        "plain": message("msg_plain", {"content-type": "application/json"}, plain),
        "structured": message("msg_structured", structured.headers, structured.body),
        "binary": message("msg_binary", {"content-type": "application/json", **binary.headers}, binary.body),
    },
    sys.stdout,
)
