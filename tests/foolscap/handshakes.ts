// Handshakes for the tests of the witness: recorded from the runtime's own TLS, and made by hand.
import { Buffer } from "node:buffer";
import { constants, type KeyObject, sign, X509Certificate } from "node:crypto";
import { Duplex } from "node:stream";
import tls from "node:tls";
import {
  generateIdentity,
  type Identity,
  parseIdentity,
} from "../../lib/foolscap/certificate.ts";
import { defaultLimits } from "../../lib/foolscap/limits.ts";
import { HandshakeWitness } from "../../lib/foolscap/witness.ts";

export type Side = "client" | "server";
export const SIDES: Side[] = ["client", "server"];

/** Bytes on their way from one side to the other. */
export interface Piece {
  from: Side;
  bytes: Uint8Array;
}

/** A certificate file. */
export function testdata(name: string): string {
  const url = new URL(`../testdata/foolscap/certs/${name}`, import.meta.url);
  return Deno.readTextFileSync(url);
}

/** Shows a whole exchange to the witness of one side. */
export function watch(
  role: Side,
  pieces: Iterable<Piece>,
  limits = defaultLimits,
): HandshakeWitness {
  const witness = new HandshakeWitness(role, limits);
  for (const { from, bytes } of pieces) {
    if (from === role) witness.outgoing(bytes);
    else witness.incoming(bytes);
  }
  return witness;
}

// ---- Real handshakes of the runtime's TLS, recorded ------------------------------------------

/** One end of a wire in memory that notes what passes. */
class Wire extends Duplex {
  other!: Wire;
  constructor(readonly from: Side, readonly record: Piece[]) {
    super();
  }
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.record.push({ from: this.from, bytes: new Uint8Array(chunk) });
    this.other.push(chunk);
    done();
  }
}

async function record(
  server: Identity,
  client: Identity,
): Promise<Piece[]> {
  const pieces: Piece[] = [];
  const [near, far] = [new Wire("client", pieces), new Wire("server", pieces)];
  [near.other, far.other] = [far, near];
  const context = (identity: Identity) =>
    tls.createSecureContext({
      cert: identity.certificatePem,
      key: identity.keyPem,
      minVersion: "TLSv1.2",
      maxVersion: "TLSv1.2",
    });
  const serverEnd = new tls.TLSSocket(far, {
    isServer: true,
    secureContext: context(server),
    requestCert: true,
    rejectUnauthorized: false,
  });
  const clientEnd = tls.connect({
    socket: near,
    secureContext: context(client),
    rejectUnauthorized: false,
  });
  await Promise.all([
    new Promise((resolve) => serverEnd.once("secure", resolve)),
    new Promise((resolve) => clientEnd.once("secureConnect", resolve)),
  ]);
  clientEnd.destroy();
  serverEnd.destroy();
  return pieces;
}

const low = parseIdentity(testdata("low.pem"));
const high = parseIdentity(testdata("high.pem"));
export const ours = await generateIdentity();
const theirs = await generateIdentity();

/** A handshake for each pair of kinds of certificate, up to the end and a little further. */
export const RECORDINGS = await Promise.all(
  ([
    ["our v3 EC", ours, "our v3 EC", theirs],
    ["our v3 EC", ours, "Foolscap's v1 RSA", low],
    ["Foolscap's v1 RSA", high, "our v3 EC", ours],
    ["Foolscap's v1 RSA", low, "Foolscap's v1 RSA", high],
  ] as const).map(async ([serverKind, server, clientKind, client]) => ({
    name: `server with ${serverKind}, client with ${clientKind}`,
    certificates: {
      server: new X509Certificate(server.certificatePem).raw,
      client: new X509Certificate(client.certificatePem).raw,
    },
    pieces: await record(server, client),
  })),
);

/** The same bytes in other pieces; the sizes take turns. */
export function cut(pieces: Piece[], sizes: number[]): Piece[] {
  let turn = 0;
  return pieces.flatMap(({ from, bytes }) => {
    const parts: Piece[] = [];
    for (let at = 0; at < bytes.length;) {
      const size = sizes.length > 0 ? sizes[turn++ % sizes.length] : 1000;
      parts.push({ from, bytes: bytes.subarray(at, at + size) });
      at += size;
    }
    return parts;
  });
}

// ---- Recorded handshakes, tampered with ------------------------------------------------------

const NAMES: Record<number, string> = {
  [-1]: "ChangeCipherSpec",
  1: "ClientHello",
  2: "ServerHello",
  4: "NewSessionTicket",
  11: "Certificate",
  12: "ServerKeyExchange",
  13: "CertificateRequest",
  14: "ServerHelloDone",
  15: "CertificateVerify",
  16: "ClientKeyExchange",
};

/** One message of a handshake; `bytes` is the whole of it, header included. */
export interface Message {
  from: Side;
  name: string;
  bytes: Uint8Array;
}

/** Takes a recording apart, up to each side's ChangeCipherSpec. */
export function messagesOf(pieces: Piece[]): Message[] {
  const messages: Message[] = [];
  const rest = { client: Buffer.alloc(0), server: Buffer.alloc(0) };
  const done = { client: false, server: false };
  for (const { from, bytes } of pieces) {
    for (let at = 0; at < bytes.length && !done[from];) {
      const length = bytes[at + 3] << 8 | bytes[at + 4];
      const payload = bytes.subarray(at + 5, at + 5 + length);
      if (bytes[at] === 20) {
        messages.push({ from, name: "ChangeCipherSpec", bytes: payload });
        done[from] = true;
      } else {
        let data = Buffer.concat([rest[from], payload]);
        while (data.length >= 4 && data.length >= 4 + data.readUIntBE(1, 3)) {
          const end = 4 + data.readUIntBE(1, 3);
          messages.push({
            from,
            name: NAMES[data[0]],
            bytes: new Uint8Array(data.subarray(0, end)),
          });
          data = data.subarray(end);
        }
        rest[from] = data;
      }
      at += 5 + length;
    }
  }
  return messages;
}

/** One message in a record of its own. */
export function recordOf({ from, name, bytes }: Message): Piece {
  const type = name === "ChangeCipherSpec" ? 20 : 22;
  const { length } = bytes;
  const header = [type, 3, 3, length >> 8, length & 0xff];
  return { from, bytes: Uint8Array.from([...header, ...bytes]) };
}

/** Messages, each in a record of its own. */
export function piecesOf(messages: Message[]): Piece[] {
  return messages.map(recordOf);
}

// ---- Handshakes made by hand -----------------------------------------------------------------

export function message(
  from: Side,
  name: string,
  ...body: Uint8Array[]
): Message {
  const type = Number(Object.keys(NAMES).find((key) => NAMES[+key] === name));
  const content = Buffer.concat(body);
  const header = Buffer.alloc(4);
  header.writeUInt32BE(type << 24 | content.length);
  return { from, name, bytes: Uint8Array.from([...header, ...content]) };
}

/** A vector: its length in `size` bytes, and what it holds. */
export function vector(size: number, ...parts: Uint8Array[]): Uint8Array {
  const content = Buffer.concat(parts);
  const header = Buffer.alloc(size);
  header.writeUIntBE(content.length, 0, size);
  return Buffer.concat([header, content]);
}

export function certificateMessage(from: Side, chain: Uint8Array[]): Message {
  const entries = chain.map((certificate) => vector(3, certificate));
  return message(from, "Certificate", vector(3, ...entries));
}

export const bytes = (...values: number[]) => Uint8Array.from(values);
const CLIENT_RANDOM = new Uint8Array(32).fill(1);
const SERVER_RANDOM = new Uint8Array(32).fill(2);
const PARAMETERS = [
  bytes(3, 0, 29),
  vector(1, new Uint8Array(32).fill(3)),
];
export const CCS = (from: Side): Message => ({
  from,
  name: "ChangeCipherSpec",
  bytes: bytes(1),
});
export const CLIENT_HELLO = message(
  "client",
  "ClientHello",
  bytes(3, 3),
  CLIENT_RANDOM,
  bytes(0, 0, 2, 0xc0, 0x2f, 1, 0),
);

export function serverHello(
  options: { version?: number; extensions?: Uint8Array[] },
) {
  const { version = 0x0303, extensions } = options;
  return message(
    "server",
    "ServerHello",
    bytes(version >> 8, version & 0xff),
    SERVER_RANDOM,
    bytes(0, 0xc0, 0x2f, 0),
    ...(extensions ? [vector(2, ...extensions)] : []),
  );
}

export interface Signer {
  scheme: number;
  key: KeyObject;
  certificate: Uint8Array;
  hash: string | null;
  salt?: number;
}

function signature(signer: Signer, ...signed: Uint8Array[]): Uint8Array {
  const { scheme, key, hash, salt } = signer;
  const options = salt === undefined
    ? { key }
    : { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: salt };
  const made = sign(hash, Buffer.concat(signed), options);
  return Buffer.concat([bytes(scheme >> 8, scheme & 0xff), vector(2, made)]);
}

/** A handshake as a client sees it, in which the server signs as told. */
export function serverSigns(
  signer: Signer,
  parameters = PARAMETERS,
): Message[] {
  const signed = [CLIENT_RANDOM, SERVER_RANDOM, ...parameters];
  return [
    CLIENT_HELLO,
    serverHello({}),
    certificateMessage("server", [signer.certificate]),
    message(
      "server",
      "ServerKeyExchange",
      ...parameters,
      signature(signer, ...signed),
    ),
    message("server", "ServerHelloDone"),
    message("client", "ClientKeyExchange", bytes(1, 0)),
    CCS("client"),
    CCS("server"),
  ];
}

/** A handshake as a server sees it, in which the client signs as told. */
export function clientSigns(signer: Signer): Message[] {
  const before = [
    CLIENT_HELLO,
    serverHello({}),
    certificateMessage("server", [bytes(1, 2, 3)]),
    message("server", "ServerKeyExchange", bytes(0)),
    message("server", "CertificateRequest", bytes(0)),
    message("server", "ServerHelloDone"),
    certificateMessage("client", [signer.certificate]),
    message("client", "ClientKeyExchange", bytes(1, 0)),
  ];
  const signed = before.map((one) => one.bytes);
  return [
    ...before,
    message("client", "CertificateVerify", signature(signer, ...signed)),
    CCS("client"),
  ];
}
