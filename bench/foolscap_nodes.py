"""A process with many real Foolscap nodes, for bench/nodes.ts --peers foolscap.

The same arguments and lines as bench/node_process.ts: FURL NODES STATS KEYDIR PREFIX; it makes the
keys, says "made", waits for a line on stdin, attaches all nodes, and says "polled" when each has been.
"""

import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "tests", "peers"))
from foolscap_common import RIStatsProvider  # noqa: E402

from foolscap.api import Referenceable, Tub  # noqa: E402
from twisted.internet import reactor, stdio  # noqa: E402
from twisted.protocols.basic import LineOnlyReceiver  # noqa: E402
from zope.interface import implementer  # noqa: E402

furl, nodes, stats, _keydir, prefix = sys.argv[1:]
waiting = set(range(int(nodes)))


@implementer(RIStatsProvider)
class Provider(Referenceable):
    def __init__(self, index):
        self.index = index

    def remote_get_stats(self):
        waiting.discard(self.index)
        if not waiting:
            waiting.add(None)
            print("polled", flush=True)
        half = int(stats) // 2
        return {
            b"counters": {
                b"storage_server.operation_%d" % i: self.index * 1000 + i for i in range(half)
            },
            b"stats": {
                b"storage_server.latencies.read.%d_percentile" % i: random.random()
                for i in range(half)
            },
        }


class Go(LineOnlyReceiver):
    delimiter = b"\n"

    def lineReceived(self, line):
        for index, tub in enumerate(tubs):
            nickname = ("%s-%d" % (prefix, index)).encode("ascii")
            provider = Provider(index)
            tub.connectTo(
                furl,
                lambda gatherer, p=provider, n=nickname: gatherer.callRemoteOnly("provide", p, n),
            )

    def connectionLost(self, reason=None):
        if reactor.running:
            reactor.stop()


tubs = []
for _ in range(int(nodes)):
    tub = Tub()
    tub.startService()
    tubs.append(tub)
print("made", flush=True)
stdio.StandardIO(Go())
reactor.run()
