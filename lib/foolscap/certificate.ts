import { Buffer } from "node:buffer";
import {
  createHash,
  createPrivateKey,
  generateKeyPair,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from "node:crypto";
import { promisify } from "node:util";
import { encodeBase32 } from "@std/encoding";
import { CertificateError } from "./errors.ts";

/** What makes a Tub who it is: a certificate, its private key, and the tubid they stand for. */
export interface Identity {
  /** PEM, `BEGIN CERTIFICATE`. */
  readonly certificatePem: string;
  /** PEM, PKCS#8 without passphrase: `BEGIN PRIVATE KEY`. A secret. */
  readonly keyPem: string;
  /** See {@linkcode tubidOf}. */
  readonly tubid: string;
}

/**
 * The tubid that a certificate stands for: lower-case base32 of the SHA-1 of its DER,
 * 32 characters. Source: Foolscap's `crypto.py`.
 */
export function tubidOf(der: Uint8Array): string {
  return encodeBase32(createHash("sha1").update(der).digest()).toLowerCase();
}

/**
 * Makes a new identity: ECDSA P-256, self-signed with SHA-256, and X.509 version 3, because the
 * runtime checks the handshake signature of no other version.
 */
export async function generateIdentity(): Promise<Identity> {
  const { publicKey, privateKey } = await promisify(generateKeyPair)("ec", {
    namedCurve: "P-256",
  });
  return identityOf(selfSigned(publicKey, privateKey), privateKey);
}

/**
 * Reads an identity as the reference and we write it: certificate and key as PEM in one text, in
 * either order, the key as PKCS#8, PKCS#1 or SEC 1. Other text around them is ignored.
 *
 * @throws {CertificateError} Says what is missing or wrong, never what the key is.
 */
export function parseIdentity(pem: string): Identity {
  const blocks = [...pem.matchAll(PEM_BLOCK)];
  const certificates = blocks.filter(([, label]) => label === "CERTIFICATE");
  const keys = blocks.filter(([, label]) => label.endsWith("PRIVATE KEY"));
  if (certificates.length !== 1 || keys.length !== 1) {
    throw new CertificateError(
      "an identity is one certificate and its private key in PEM form, " +
        `but ${count(certificates.length, "certificate")} and ` +
        `${count(keys.length, "private key")} were found`,
    );
  }
  const [keyPem, label] = keys[0];
  if (label.startsWith("ENCRYPTED") || keyPem.includes("ENCRYPTED")) {
    throw new CertificateError(
      "the private key is protected by a passphrase: store it without one",
    );
  }
  // The reasons that the runtime gives are not passed on: they may quote what they could not read.
  const certificate = attempt(
    () => new X509Certificate(certificates[0][0]),
    "the certificate cannot be read: it is damaged or of an unknown kind",
  );
  const publicKey = attempt(
    () => certificate.publicKey,
    "the certificate's public key is of an unknown kind",
  );
  const privateKey = attempt(
    () => createPrivateKey(keyPem),
    "the private key cannot be read: it is damaged or of an unknown kind",
  );
  checkKind(publicKey);
  const match = attempt(
    () => certificate.checkPrivateKey(privateKey),
    "the private key cannot be compared with the certificate",
  );
  if (!match) {
    throw new CertificateError(
      "the private key does not belong to the certificate: " +
        "one of them comes from another file",
    );
  }
  return identityOf(certificate.raw, privateKey);
}

/** Writes an identity as the reference keeps it: the certificate, then the key. A secret. */
export function formatIdentity(identity: Identity): string {
  return identity.certificatePem + identity.keyPem;
}

const PEM_BLOCK =
  /-----BEGIN ([A-Z0-9 ]+)-----\r?\n[^-]*(?:-[^-]+)*-----END \1-----/g;

function count(n: number, thing: string): string {
  return `${n === 0 ? "no" : n} ${thing}${n === 1 ? "" : "s"}`;
}

function attempt<T>(read: () => T, failure: string): T {
  try {
    return read();
  } catch {
    throw new CertificateError(failure);
  }
}

const CURVES = ["prime256v1", "secp384r1", "secp521r1"];

/** Refuses keys that the runtime's TLS cannot sign with; it would only say so at a handshake. */
function checkKind(key: KeyObject): void {
  const kind = key.asymmetricKeyType;
  const { modulusLength = 0, namedCurve = "" } = key.asymmetricKeyDetails ?? {};
  const usable = kind === "rsa"
    ? modulusLength >= 2048
    : kind === "ec"
    ? CURVES.includes(namedCurve)
    : kind === "ed25519";
  if (usable) return;
  const detail = kind === "rsa" ? `${modulusLength} bits` : namedCurve;
  throw new CertificateError(
    `this TLS cannot use the key (${kind}${
      detail && `, ${detail}`
    }): it must ` +
      "be RSA of at least 2048 bits, EC on P-256, P-384 or P-521, or Ed25519",
  );
}

function identityOf(der: Uint8Array, privateKey: KeyObject): Identity {
  const base64 = Buffer.from(der).toString("base64").replace(/.{64}/g, "$&\n");
  return {
    certificatePem: "-----BEGIN CERTIFICATE-----\n" + base64.trimEnd() +
      "\n-----END CERTIFICATE-----\n",
    keyPem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    tubid: tubidOf(der),
  };
}

// The little DER that a self-signed certificate needs. Source: RFC 5280, 4.1, and X.690.

const SEQUENCE = 0x30;
const EXPLICIT_0 = 0xa0;
const EXPLICIT_3 = 0xa3;

const ECDSA_WITH_SHA256 = der(
  SEQUENCE,
  der(0x06, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02),
);

/** `CN=newpb_thingy`, the name that the reference writes; nobody looks at it. */
const NAME = der(
  SEQUENCE,
  der(0x31, der(SEQUENCE, der(0x06, 0x55, 4, 3), text(0x0c, "newpb_thingy"))),
);

/** Nobody looks at the dates either; these are the widest that everybody can read. */
const VALIDITY = der(
  SEQUENCE,
  text(0x17, "700101000000Z"),
  text(0x18, "99991231235959Z"),
);

/** `basicConstraints` CA:FALSE and `keyUsage` digitalSignature, both critical. */
const EXTENSIONS = der(
  EXPLICIT_3,
  der(
    SEQUENCE,
    extension(0x13, der(SEQUENCE)),
    extension(0x0f, der(0x03, 7, 0x80)),
  ),
);

function selfSigned(publicKey: KeyObject, privateKey: KeyObject): Uint8Array {
  const serial = randomBytes(16);
  // Positive, and without a leading zero byte.
  serial[0] = serial[0] & 0x3f | 0x40;
  const toBeSigned = der(
    SEQUENCE,
    der(EXPLICIT_0, der(0x02, 2)), // version 3 is written as 2
    der(0x02, serial),
    ECDSA_WITH_SHA256,
    NAME,
    VALIDITY,
    NAME,
    publicKey.export({ type: "spki", format: "der" }),
    EXTENSIONS,
  );
  const signature = sign("sha256", toBeSigned, privateKey);
  return der(SEQUENCE, toBeSigned, ECDSA_WITH_SHA256, der(0x03, 0, signature));
}

function der(tag: number, ...content: (number | Uint8Array)[]): Uint8Array {
  const body = Buffer.concat(
    content.map((part) => typeof part === "number" ? Buffer.of(part) : part),
  );
  const { length } = body;
  const header = length < 0x80
    ? [tag, length]
    : length < 0x100
    ? [tag, 0x81, length]
    : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(header), body]);
}

function text(tag: number, ascii: string): Uint8Array {
  return der(tag, Buffer.from(ascii, "ascii"));
}

/** A critical extension of the arc `id-ce` (2.5.29). */
function extension(id: number, value: Uint8Array): Uint8Array {
  return der(
    SEQUENCE,
    der(0x06, 0x55, 0x1d, id),
    der(0x01, 0xff),
    der(0x04, value),
  );
}
