import { Buffer } from "node:buffer";
import {
  constants,
  type KeyObject,
  verify,
  X509Certificate,
} from "node:crypto";
import { messageOf } from "../errors.ts";
import { defaultLimits, type Limits } from "./limits.ts";

type Side = "client" | "server";

/**
 * Watches the bytes of one TLS 1.2 handshake and tells whether the peer has proven that it holds
 * the key of the certificate it shows. The runtime's TLS checks that only for X.509 version 3
 * (seen with Deno 2.9.6), and real Foolscap certificates are version 1.
 *
 * A client's proof is the signature in CertificateVerify over all messages before it, a server's
 * that in ServerKeyExchange over both randoms and the key exchange. Both are fresh, because our
 * own TLS contributed its random; that the one who signed is also the one at the other end of the
 * encrypted connection is what Finished proves, and our TLS checks it. So `proven` counts only
 * together with a completed handshake, and only for the certificate that it reports.
 *
 * The witness takes nothing but one full handshake, every message in its place: a resumed
 * session, TLS 1.3 (which encrypts the proof), or anything malformed is "not proven", with a
 * reason. It never throws. Once the peer's ChangeCipherSpec has come, all is decided, and the
 * witness lets go of what it kept. Renegotiation, which would happen under encryption, cannot
 * bring in another certificate later: the runtime's TLS (rustls) has no renegotiation at all.
 *
 * It does no I/O. Source: RFC 5246, 7.4; RFC 8422, 5.4; RFC 8446, 4.2.3 for the signatures.
 */
export class HandshakeWitness {
  readonly #role: Side;
  readonly #incoming: HandshakeReader;
  readonly #outgoing: HandshakeReader;
  /** What may come next: an index into {@linkcode STEPS}. */
  #step = 0;
  #over = false;
  #signed = false;
  #proven = false;
  #reason = "the handshake was not finished";
  #certificate: Uint8Array | undefined;
  #randoms: Uint8Array[] = [];
  /** As server: all messages so far, as they were on the wire. */
  #transcript: Uint8Array[] = [];

  /** @param role Which side of the handshake is ours. */
  constructor(role: Side, limits: Limits = defaultLimits) {
    const peer = role === "client" ? "server" : "client";
    this.#role = role;
    this.#incoming = new HandshakeReader(
      limits.handshakeBytes,
      (type, message) => this.#take(peer, type, message),
    );
    this.#outgoing = new HandshakeReader(
      limits.handshakeBytes,
      (type, message) => this.#take(role, type, message),
    );
  }

  /** Whether the peer has proven it. Once true it stays; once all is over it does not change. */
  get proven(): boolean {
    return this.#proven;
  }

  /** The peer's own certificate (DER), as soon as it was seen; not to be believed unless proven. */
  get certificate(): Uint8Array | undefined {
    return this.#certificate;
  }

  /** Why it is not proven, in words for a log; empty once it is. */
  get reason(): string {
    return this.#proven ? "" : this.#reason;
  }

  /** Whether nothing that passes from here on can make a difference. */
  get over(): boolean {
    return this.#over;
  }

  /** Takes bytes that the peer sent, cut anywhere, before our TLS gets them. */
  incoming(bytes: Uint8Array): void {
    if (!this.#over) this.#feed(this.#incoming, bytes);
  }

  /** Takes bytes that our TLS sends, cut anywhere, before the peer gets them. */
  outgoing(bytes: Uint8Array): void {
    if (!this.#over) this.#feed(this.#outgoing, bytes);
  }

  #feed(reader: HandshakeReader, bytes: Uint8Array): void {
    try {
      reader.feed(bytes);
    } catch (error) {
      const who = reader === this.#incoming ? "the peer" : "our own TLS";
      this.#finish(
        error instanceof Refusal
          ? error.message.replace("{}", who)
          : `the handshake could not be checked: ${messageOf(error)}`,
      );
    }
  }

  /** Ends the watch. Everything that was kept goes. */
  #finish(reason: string): void {
    this.#over = true;
    this.#reason = reason;
    this.#randoms = [];
    this.#transcript = [];
    this.#incoming.stop();
    this.#outgoing.stop();
  }

  /** One message, or the ChangeCipherSpec of one side: is it due, and what does it say? */
  #take(from: Side, type: number, message: Uint8Array): void {
    this.#advance(from, type);
    const ours = from === this.#role;
    if (type === CHANGE_CIPHER_SPEC) {
      if (ours) return;
      this.#proven = this.#signed;
      return this.#finish("the peer signed nothing");
    }
    const body = new MessageReader(message, 4);
    if (type === CLIENT_HELLO) {
      body.skip(2);
      this.#randoms[0] = body.copy(32);
    } else if (type === SERVER_HELLO) {
      this.#randoms[1] = readServerHello(body);
    } else if (type === CERTIFICATE && !ours) {
      this.#certificate = readCertificate(body);
    } else if (type === SERVER_KEY_EXCHANGE && !ours) {
      this.#checkKeyExchange(message, body);
    } else if (type === CERTIFICATE_VERIFY && !ours) {
      this.#check(this.#transcript, body);
    }
    if (this.#role === "server") this.#transcript.push(message.slice());
  }

  #advance(from: Side, type: number): void {
    let step = this.#step;
    while (step < STEPS.length) {
      const due = STEPS[step++];
      if (due.from === from && due.type === type) {
        this.#step = step;
        return;
      }
      if (due.optional === true || due.optional === this.#role) continue;
      const resumes = type === NEW_SESSION_TICKET ||
        type === CHANGE_CIPHER_SPEC;
      if (resumes && from === "server" && due.type === CERTIFICATE) {
        throw new Refusal(
          "the handshake resumes an earlier session, which proves nothing",
        );
      }
      throw new Refusal(
        `{} sent ${nameOf(type)} where ${nameOf(due.type)} was due`,
      );
    }
    throw new Refusal(`{} sent ${nameOf(type)} after the handshake`);
  }

  #checkKeyExchange(message: Uint8Array, body: MessageReader): void {
    if (body.byte() !== NAMED_CURVE) {
      throw new Refusal(
        "{} uses a key exchange other than ECDHE on a named curve",
      );
    }
    body.skip(2);
    body.skip(body.byte());
    const parameters = message.subarray(4, body.position);
    this.#check([...this.#randoms, parameters], body);
  }

  #check(signed: Uint8Array[], body: MessageReader): void {
    const scheme = body.number(2);
    const signature = body.copy(body.number(2));
    body.end();
    if (!this.#certificate) throw new Refusal("{} sent no certificate");
    const key = new X509Certificate(this.#certificate).publicKey;
    if (!isSignature(scheme, key, Buffer.concat(signed), signature)) {
      throw new Refusal(
        "{} could not prove that it holds the key of its certificate",
      );
    }
    this.#signed = true;
  }
}

const CHANGE_CIPHER_SPEC = -1; // a record of its own, not a handshake message
const HELLO_REQUEST = 0;
const CLIENT_HELLO = 1;
const SERVER_HELLO = 2;
const NEW_SESSION_TICKET = 4;
const CERTIFICATE = 11;
const SERVER_KEY_EXCHANGE = 12;
const CERTIFICATE_REQUEST = 13;
const SERVER_HELLO_DONE = 14;
const CERTIFICATE_VERIFY = 15;
const CLIENT_KEY_EXCHANGE = 16;
const CERTIFICATE_STATUS = 22;

/**
 * A full TLS 1.2 handshake with client authentication, in the only order there is. What only the
 * other side needs for its own proof is `optional` where our role has no use for it.
 * HelloRequest has no place in it, and is thereby refused.
 */
const STEPS: readonly {
  from: Side;
  type: number;
  /** Whether it may be left out: `true`, or in which role of ours. */
  optional?: true | Side;
}[] = [
  { from: "client", type: CLIENT_HELLO },
  { from: "server", type: SERVER_HELLO },
  { from: "server", type: CERTIFICATE },
  { from: "server", type: CERTIFICATE_STATUS, optional: true },
  { from: "server", type: SERVER_KEY_EXCHANGE },
  { from: "server", type: CERTIFICATE_REQUEST, optional: "client" },
  { from: "server", type: SERVER_HELLO_DONE },
  { from: "client", type: CERTIFICATE, optional: "client" },
  { from: "client", type: CLIENT_KEY_EXCHANGE },
  { from: "client", type: CERTIFICATE_VERIFY, optional: "client" },
  { from: "client", type: CHANGE_CIPHER_SPEC },
  { from: "server", type: NEW_SESSION_TICKET, optional: true },
  { from: "server", type: CHANGE_CIPHER_SPEC },
];

const NAMES = new Map([
  [CHANGE_CIPHER_SPEC, "ChangeCipherSpec"],
  [HELLO_REQUEST, "HelloRequest"],
  [CLIENT_HELLO, "ClientHello"],
  [SERVER_HELLO, "ServerHello"],
  [NEW_SESSION_TICKET, "NewSessionTicket"],
  [CERTIFICATE, "Certificate"],
  [SERVER_KEY_EXCHANGE, "ServerKeyExchange"],
  [CERTIFICATE_REQUEST, "CertificateRequest"],
  [SERVER_HELLO_DONE, "ServerHelloDone"],
  [CERTIFICATE_VERIFY, "CertificateVerify"],
  [CLIENT_KEY_EXCHANGE, "ClientKeyExchange"],
  [CERTIFICATE_STATUS, "CertificateStatus"],
]);

function nameOf(type: number): string {
  return NAMES.get(type) ?? `a handshake message of type ${type}`;
}

/** The handshake proves nothing; in the message, `{}` stands for the side that spoke. */
class Refusal extends Error {}

const TLS_1_2 = 0x0303;
const SUPPORTED_VERSIONS = 43;
const NAMED_CURVE = 3;

/** @returns The server's random. */
function readServerHello(body: MessageReader): Uint8Array {
  const version = body.number(2);
  if (version !== TLS_1_2) {
    throw new Refusal(`{} speaks TLS version 0x0${version.toString(16)}`);
  }
  const random = body.copy(32);
  body.skip(body.byte()); // session ID
  body.skip(3); // cipher suite and compression
  if (body.atEnd) return random;
  const length = body.number(2);
  const end = body.position + length;
  while (body.position < end) {
    const extension = body.number(2);
    body.skip(body.number(2));
    if (extension === SUPPORTED_VERSIONS) {
      throw new Refusal("{} speaks TLS 1.3, which hides the proof of identity");
    }
  }
  if (body.position !== end) throw malformed();
  body.end();
  return random;
}

/** @returns The first certificate, which is the sender's own; those after it are its issuers. */
function readCertificate(body: MessageReader): Uint8Array {
  const length = body.number(3);
  const end = body.position + length;
  if (length === 0) {
    body.end();
    throw new Refusal("{} sent no certificate");
  }
  const certificate = body.copy(body.number(3));
  while (body.position < end) body.skip(body.number(3));
  if (body.position !== end) throw malformed();
  body.end();
  return certificate;
}

/**
 * The signature schemes that our TLS offers, and with which kind of key. SHA-1 is not among them:
 * no peer that can speak TLS 1.2 needs it.
 */
const SCHEMES = new Map<
  number,
  { key: "rsa" | "ec" | "ed25519"; hash: string | null; salt?: number }
>([
  [0x0401, { key: "rsa", hash: "sha256" }],
  [0x0501, { key: "rsa", hash: "sha384" }],
  [0x0601, { key: "rsa", hash: "sha512" }],
  [0x0804, { key: "rsa", hash: "sha256", salt: 32 }],
  [0x0805, { key: "rsa", hash: "sha384", salt: 48 }],
  [0x0806, { key: "rsa", hash: "sha512", salt: 64 }],
  [0x0403, { key: "ec", hash: "sha256" }],
  [0x0503, { key: "ec", hash: "sha384" }],
  [0x0603, { key: "ec", hash: "sha512" }],
  [0x0807, { key: "ed25519", hash: null }],
]);

function isSignature(
  scheme: number,
  key: KeyObject,
  signed: Uint8Array,
  signature: Uint8Array,
): boolean {
  const known = SCHEMES.get(scheme);
  if (!known || known.key !== key.asymmetricKeyType) {
    throw new Refusal(
      `{} signed with scheme 0x${scheme.toString(16).padStart(4, "0")}, ` +
        `which does not fit its ${key.asymmetricKeyType} key`,
    );
  }
  const padding = known.key !== "rsa"
    ? {}
    : known.salt === undefined
    ? { padding: constants.RSA_PKCS1_PADDING }
    : { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: known.salt };
  return verify(known.hash, signed, { key, ...padding }, signature);
}

/** A record's payload may be this long (RFC 5246, 6.2.3). */
const MAX_RECORD = 2 ** 14 + 2048;
const RECORD_CHANGE_CIPHER_SPEC = 20;
const RECORD_ALERT = 21;
const RECORD_HANDSHAKE = 22;

/** Finds the handshake messages in the records of one direction, up to its ChangeCipherSpec. */
class HandshakeReader {
  readonly #limit: number;
  readonly #take: (type: number, message: Uint8Array) => void;
  /** The header of the record that is being read, and how much of it is there. */
  readonly #header = new Uint8Array(5);
  #headerLength = 0;
  /** How much of the record's payload is still to come. */
  #left = 0;
  /** Payload that is not yet a whole message (or alert), at the beginning of a larger array. */
  #pending = new Uint8Array(0);
  #pendingLength = 0;
  /** Bytes of handshake messages so far. */
  #total = 0;
  #over = false;

  constructor(
    limit: number,
    take: (type: number, message: Uint8Array) => void,
  ) {
    this.#limit = limit;
    this.#take = take;
  }

  stop(): void {
    this.#over = true;
    this.#pending = new Uint8Array(0);
  }

  feed(bytes: Uint8Array): void {
    let from = 0;
    while (from < bytes.length && !this.#over) {
      if (this.#headerLength < 5) {
        this.#header[this.#headerLength++] = bytes[from++];
        if (this.#headerLength === 5) this.#beginRecord();
        continue;
      }
      const part = bytes.subarray(from, from + this.#left);
      from += part.length;
      this.#append(part);
      this.#left -= part.length;
      if (this.#header[0] === RECORD_HANDSHAKE) this.#readMessages();
      if (this.#left === 0) this.#endRecord();
    }
  }

  #beginRecord(): void {
    const [type, major, , high, low] = this.#header;
    const length = high << 8 | low;
    const handshake = type === RECORD_HANDSHAKE;
    // Messages may be cut into records, but not across records of another type.
    const fits = handshake
      ? length > 0 && length <= MAX_RECORD
      : type === RECORD_CHANGE_CIPHER_SPEC
      ? length === 1 && this.#pendingLength === 0
      : type === RECORD_ALERT && length === 2 && this.#pendingLength === 0;
    if (major !== 3 || !fits) {
      throw new Refusal("{} sent a malformed TLS record");
    }
    if (handshake) this.#total += length;
    if (this.#total > this.#limit) {
      throw new Refusal(
        `{} sent more than ${this.#limit} bytes of handshake messages`,
      );
    }
    this.#left = length;
  }

  #append(part: Uint8Array): void {
    const length = this.#pendingLength + part.length;
    if (length > this.#pending.length) {
      const larger = new Uint8Array(Math.max(length, 2 * this.#pending.length));
      larger.set(this.#pending.subarray(0, this.#pendingLength));
      this.#pending = larger;
    }
    this.#pending.set(part, this.#pendingLength);
    this.#pendingLength = length;
  }

  #readMessages(): void {
    let from = 0;
    while (this.#pendingLength - from >= 4) {
      const [type, high, middle, low] = this.#pending.subarray(from, from + 4);
      const end = from + 4 + (high << 16 | middle << 8 | low);
      if (end - from > this.#limit) {
        throw new Refusal(
          `{} announced a handshake message of ${end - from} bytes`,
        );
      }
      if (end > this.#pendingLength) break;
      this.#take(type, this.#pending.subarray(from, end));
      if (this.#over) return;
      from = end;
    }
    this.#pending.copyWithin(0, from, this.#pendingLength);
    this.#pendingLength -= from;
  }

  #endRecord(): void {
    this.#headerLength = 0;
    const [first, second] = this.#pending;
    switch (this.#header[0]) {
      case RECORD_ALERT:
        throw new Refusal(`{} broke off with TLS alert ${alertName(second)}`);
      case RECORD_CHANGE_CIPHER_SPEC:
        if (first !== 1) throw new Refusal("{} sent a malformed TLS record");
        // What follows in this direction is encrypted.
        this.stop();
        this.#take(CHANGE_CIPHER_SPEC, new Uint8Array(0));
    }
  }
}

/** Those that a failing handshake meets (RFC 5246, 7.2). */
const ALERTS = new Map([
  [0, "close notify"],
  [10, "unexpected message"],
  [40, "handshake failure"],
  [42, "bad certificate"],
  [43, "unsupported certificate"],
  [46, "certificate unknown"],
  [47, "illegal parameter"],
  [48, "unknown CA"],
  [50, "decode error"],
  [51, "decrypt error"],
  [70, "protocol version"],
  [71, "insufficient security"],
  [80, "internal error"],
  [90, "user cancelled"],
  [116, "certificate required"],
]);

function alertName(code: number): string {
  const name = ALERTS.get(code);
  return name ? `${code} (${name})` : `${code}`;
}

function malformed(): Refusal {
  return new Refusal("{} sent a malformed handshake message");
}

/** Reads the fields of one handshake message; running past its end is a {@linkcode Refusal}. */
class MessageReader {
  constructor(readonly bytes: Uint8Array, public position: number) {}

  get atEnd(): boolean {
    return this.position === this.bytes.length;
  }

  skip(length: number): void {
    this.position += length;
    if (this.position > this.bytes.length) throw malformed();
  }

  copy(length: number): Uint8Array {
    const from = this.position;
    this.skip(length);
    return this.bytes.slice(from, this.position);
  }

  byte(): number {
    return this.number(1);
  }

  /** A big-endian number of `length` bytes, at most 3. */
  number(length: number): number {
    let value = 0;
    this.skip(length);
    for (let i = this.position - length; i < this.position; i++) {
      value = value << 8 | this.bytes[i];
    }
    return value;
  }

  end(): void {
    if (!this.atEnd) throw malformed();
  }
}
