"""Holds OpenLineage events against the published schemas, each facet against its own: JSON in, what is wrong out."""

import json
import pathlib
import sys

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

asked = json.load(sys.stdin)
resources = [Resource.from_contents(json.loads(f.read_text())) for f in pathlib.Path(asked["schemas"]).glob("*.json")]
registry = Registry().with_resources((r.id(), r) for r in resources)
checker = FormatChecker()
# Without these packages nothing would be said of times and ids.
assert {"date-time", "uuid"} <= set(checker.checkers), checker.checkers.keys()


def wrong(url, value):
    validator = Draft202012Validator({"$ref": url}, registry=registry, format_checker=checker)
    return [f"{url}: {e.json_path}: {e.message}" for e in validator.iter_errors(value)]


found = []
for event in asked["events"]:
    found += wrong(event["schemaURL"], event)
    holders = [event["run"], event["job"], *event["inputs"], *event["outputs"]]
    for holder in holders:
        for kind in ("facets", "inputFacets", "outputFacets"):
            for name, facet in holder.get(kind, {}).items():
                url, _, _ = facet["_schemaURL"].partition("#")
                if name not in registry.contents(url)["properties"]:
                    found.append(f"{name} is not what {url} describes")
                found += wrong(facet["_schemaURL"], facet)
json.dump(found, sys.stdout)
