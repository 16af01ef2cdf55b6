"""Reads messages as their receivers would, with the packages of the standards: JSON in, what they say out."""

import json
import sys

from cloudevents.core.bindings.http import HTTPMessage, from_http
from cloudevents.core.formats.json import JSONFormat
from standardwebhooks.webhooks import Webhook

asked = json.load(sys.stdin)
webhook = Webhook(asked["secret"])
said = []
for message in asked["messages"]:
    # Refuses what is not signed right, or not now.
    webhook.verify(message["body"], message["headers"])
    event = from_http(HTTPMessage(headers=message["headers"], body=message["body"].encode()), JSONFormat())
    said.append({"type": event.get_type(), "subject": event.get_subject(), "id": event.get_id(), "data": event.get_data()})
json.dump(said, sys.stdout)
