"""A client that shows a certificate and signs with another key, as OpenSSL lets it.

Takes one JSON argument: port, tubid, pem (somebody's certificate with a key that is not its own),
version (TLSv1_2 or TLSv1_3). Prints what came of it.
"""

import json
import socket
import ssl
import sys

args = json.loads(sys.argv[1])
plain = socket.create_connection(("127.0.0.1", args["port"]))
plain.sendall(("GET /id/%s HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: TLS/1.0\r\n"
               "Connection: Upgrade\r\n\r\n" % args["tubid"]).encode("ascii"))
reply = b""
while not reply.endswith(b"\r\n\r\n"):
    reply += plain.recv(1000)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
if args.get("version"):
    context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, args["version"])
context.load_cert_chain(args["pem"])
try:
    secure = context.wrap_socket(plain)
    received = secure.recv(1000)
    print(json.dumps({"received": received.decode("latin-1")}))
except (ssl.SSLError, OSError) as error:
    print(json.dumps({"error": type(error).__name__}))
