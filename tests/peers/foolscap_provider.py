"""A node as Tahoe-LAFS's were: attaches to a gatherer and answers its polls.

Takes one JSON argument: furl, pem (a file with its key), nickname, stats_json (what get_stats
returns, as JSON: integers, floats and null stay what they are).
"""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
from foolscap_common import RIStatsProvider, arguments, run, say  # noqa: E402

from foolscap.api import Referenceable, Tub  # noqa: E402
from twisted.internet import reactor  # noqa: E402
from zope.interface import implementer  # noqa: E402

args = arguments()


def encoded(value):
    if isinstance(value, dict):
        return {key.encode("utf-8"): encoded(inner) for key, inner in value.items()}
    return value


@implementer(RIStatsProvider)
class Provider(Referenceable):
    failing = False

    def remote_get_stats(self):
        say("polled")
        if self.failing:
            self.failing = False
            raise RuntimeError("no stats today")
        return encoded(json.loads(args["stats_json"]))


provider = Provider()
tub = Tub(certData=open(args["pem"], "rb").read())
tub.startService()
say("started", tubid=tub.getTubID())


def connected(gatherer):
    gatherer.notifyOnDisconnect(say, "disconnected")
    provided = gatherer.callRemote("provide", provider, args["nickname"].encode("utf-8"))
    provided.addCallbacks(lambda value: say("provided", value=value),
                          lambda failure: say("refused", value=str(failure.value)))


reconnector = tub.connectTo(args["furl"], connected)


def fail():
    provider.failing = True
    say("failing")


def stop():
    reconnector.stopConnecting()
    tub.stopService().addBoth(lambda _: reactor.stop())


run({"fail": fail}, stop)
