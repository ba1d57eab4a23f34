"""A gatherer as Tahoe-LAFS's was: takes providers in, and polls them when told to.

Takes one JSON argument: pem (a file with its key), port (0: any), name (the FURL's last part).
Commands: poll, drop (ends the connection of every provider).
"""

import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
from foolscap_common import RIStatsGatherer, arguments, run, say  # noqa: E402

from foolscap.api import Referenceable, Tub  # noqa: E402
from twisted.internet import reactor  # noqa: E402
from zope.interface import implementer  # noqa: E402

args = arguments()


def described(value):
    """A value with its kind, which JSON would lose: 1 and 1.0 are two things."""
    return [type(value).__name__, repr(value)]


@implementer(RIStatsGatherer)
class Gatherer(Referenceable):
    def __init__(self):
        self.providers = []

    def remote_provide(self, provider, nickname):
        say("provide", nickname=nickname.decode("utf-8"), tubid=provider.getRemoteTubID())
        self.providers.append(provider)
        provider.notifyOnDisconnect(self.lost, provider)

    def lost(self, provider):
        self.providers.remove(provider)
        say("lost")

    def poll(self):
        for provider in self.providers:
            provider.callRemote("get_stats").addCallbacks(self.answered, self.failed)

    def answered(self, stats):
        say("stats", **{
            group.decode("utf-8"): {
                name.decode("utf-8"): described(value) for name, value in values.items()
            } for group, values in stats.items()
        })

    def failed(self, failure):
        say("failed", type=str(failure.type), value=str(failure.value))

    def drop(self):
        for provider in list(self.providers):
            provider.tracker.broker.transport.loseConnection()


gatherer = Gatherer()
tub = Tub(certData=open(args["pem"], "rb").read())
listener = tub.listenOn("tcp:%d:interface=127.0.0.1" % args["port"])
tub.startService()


def listening():
    port = listener.getPortnum()
    tub.setLocation("tcp:127.0.0.1:%d" % port)
    furl = tub.registerReference(gatherer, args["name"])
    say("listening", furl=furl, port=port)


def stop():
    tub.stopService().addBoth(lambda _: reactor.stop())


reactor.callWhenRunning(listening)
run({"poll": gatherer.poll, "drop": gatherer.drop}, stop)
