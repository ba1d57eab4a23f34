"""What both Foolscap programs of the tests share: Tahoe-LAFS's interfaces, and lines of JSON.

A program prints one JSON object a line for everything that happens, and takes commands as lines on
its stdin. At the end of stdin it stops.
"""

import json
import sys

from foolscap.api import ChoiceOf, DictOf, RemoteInterface
from twisted.internet import reactor, stdio
from twisted.protocols.basic import LineOnlyReceiver


class RIStatsProvider(RemoteInterface):
    __remote_name__ = "RIStatsProvider.tahoe.allmydata.com"

    def get_stats():
        return DictOf(bytes, DictOf(bytes, ChoiceOf(float, int, None)))


class RIStatsGatherer(RemoteInterface):
    __remote_name__ = "RIStatsGatherer.tahoe.allmydata.com"

    def provide(provider=RIStatsProvider, nickname=bytes):
        return None


def say(event, **details):
    print(json.dumps({"event": event, **details}), flush=True)


class Commands(LineOnlyReceiver):
    """Calls a function of the table for each line."""

    delimiter = b"\n"

    def __init__(self, table, stop):
        self.table = table
        self.stop = stop

    def lineReceived(self, line):
        self.table[line.decode("ascii").strip()]()

    def connectionLost(self, reason=None):
        self.stop()


def run(table, stop):
    """Takes commands until stdin ends."""
    stdio.StandardIO(Commands(table, stop))
    reactor.run()


def arguments():
    return json.loads(sys.argv[1])
