"""Puts names of what is really there into two in three of the generated requests, so that more than refusals is tried."""

import json
import os

import schemathesis

THERE = json.loads(os.environ["TERTULIA_THERE"])
STAYS = json.loads(os.environ["TERTULIA_STAYS"])
turns = 0


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """The fleet itself is left alone: nothing that is there is removed."""
    global turns
    if not path_parameters:
        return path_parameters
    if context.operation.method.upper() == "DELETE":
        for name, kept in STAYS.items():
            if path_parameters.get(name) in kept:
                path_parameters[name] = "nobody"
        return path_parameters
    turns += 1
    for name, choices in THERE.items():
        if name in path_parameters and choices and turns % 3:
            path_parameters[name] = choices[turns % len(choices)]
    # A consumer that steps up reconnects, and later requests would not find the connection meanwhile.
    if context.operation.path.endswith("/step-up") and path_parameters["connection"] in THERE["connection"]:
        path_parameters["connection"] = "stepper"
    return path_parameters


@schemathesis.hook
def map_query(context, query):
    """Most requests go by the connection that sees the conversation."""
    if query and "connection" in query and turns % 4:
        query["connection"] = THERE["connection"][0]
    return query
