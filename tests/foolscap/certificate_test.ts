import {
  createPrivateKey,
  generateKeyPairSync,
  X509Certificate,
} from "node:crypto";
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import {
  formatIdentity,
  generateIdentity,
  parseIdentity,
  tubidOf,
} from "../../lib/foolscap/certificate.ts";
import { CertificateError } from "../../lib/foolscap/errors.ts";
import vectors from "../testdata/foolscap/furl-vectors.json" with {
  type: "json",
};

function testdata(name: string): string {
  const url = new URL(`../testdata/foolscap/${name}`, import.meta.url);
  return Deno.readTextFileSync(url);
}

const LOW = testdata("certs/low.pem");
const HIGH = testdata("certs/high.pem");

/** The block with this label out of a PEM text. */
function block(pem: string, label: string): string {
  const end = `-----END ${label}-----\n`;
  const from = pem.indexOf(`-----BEGIN ${label}-----`);
  return pem.slice(from, pem.indexOf(end) + end.length);
}

for (const row of vectors.certificates) {
  Deno.test(`the tubid of ${row.pem}`, () => {
    const pem = testdata(row.pem);
    const der = new X509Certificate(pem).raw;
    assertEquals(der.length, row.der_bytes);
    assertEquals(tubidOf(der), row.tubid);
    assertEquals(parseIdentity(pem).tubid, row.tubid);
  });
}

Deno.test("a new identity is X.509 v3, P-256, self-signed, no CA, for ever", async () => {
  const identity = await generateIdentity();
  const certificate = new X509Certificate(identity.certificatePem);
  const key = createPrivateKey(identity.keyPem);
  assertEquals(identity.tubid, tubidOf(certificate.raw));
  assertMatch(identity.tubid, /^[a-z2-7]{32}$/);
  assert(certificate.checkPrivateKey(key));
  assert(certificate.verify(certificate.publicKey));
  assertEquals(key.asymmetricKeyDetails?.namedCurve, "prime256v1");
  assertEquals(certificate.ca, false);
  assertEquals(certificate.subject, "CN=newpb_thingy");
  assertEquals(certificate.issuer, "CN=newpb_thingy");
  assertEquals(certificate.validToDate.getUTCFullYear(), 9999);
  // The version stands at a fixed place: SEQUENCE, SEQUENCE, [0] INTEGER 2.
  const head = [...certificate.raw.subarray(certificate.raw.indexOf(0xa0))];
  assertEquals(head.slice(0, 5), [0xa0, 3, 2, 1, 2]);
  assert(certificate.raw.indexOf(0xa0) < 10);
});

Deno.test("every identity has its own key, serial number and tubid", async () => {
  const all = await Promise.all(Array.from({ length: 50 }, generateIdentity));
  const certificates = all.map((one) =>
    new X509Certificate(one.certificatePem)
  );
  const serials = certificates.map((one) => one.serialNumber);
  assertEquals(new Set(serials).size, 50);
  assertEquals(new Set(all.map((one) => one.keyPem)).size, 50);
  assertEquals(new Set(all.map((one) => one.tubid)).size, 50);
  // Signatures and serial numbers vary in length; each must come out as valid DER.
  for (const one of all) assertEquals(parseIdentity(formatIdentity(one)), one);
});

Deno.test("the reference's file comes out as it went in", () => {
  for (const pem of [LOW, HIGH]) {
    assertEquals(formatIdentity(parseIdentity(pem)), pem);
  }
});

const certificate = block(LOW, "CERTIFICATE");
const pkcs8 = block(LOW, "PRIVATE KEY");
const pkcs1 = createPrivateKey(pkcs8).export({ type: "pkcs1", format: "pem" });
const FORMS: Record<string, string> = {
  "certificate, then key": certificate + pkcs8,
  "key, then certificate": pkcs8 + certificate,
  "RSA PRIVATE KEY": `${certificate}${pkcs1}`,
  "RSA PRIVATE KEY first": `${pkcs1}${certificate}`,
  "with CRLF": LOW.replaceAll("\n", "\r\n"),
  "with text around":
    `subject=CN = x - y\n${certificate}\n# the key:\n${pkcs8}--\n`,
};
for (const [form, pem] of Object.entries(FORMS)) {
  Deno.test(`an identity is read: ${form}`, () => {
    assertEquals(parseIdentity(pem), parseIdentity(LOW));
  });
}

for (const name of ["rsa4096-v3", "p384", "p521", "ed25519"]) {
  Deno.test(`an identity is read: ${name}`, () => {
    const pem = testdata(`certs/${name}.pem`);
    const identity = parseIdentity(pem);
    assertEquals(identity.tubid, tubidOf(new X509Certificate(pem).raw));
    assertEquals(parseIdentity(formatIdentity(identity)), identity);
  });
}

Deno.test("an identity is read: EC PRIVATE KEY, with its parameters", async () => {
  const identity = await generateIdentity();
  const sec1 = createPrivateKey(identity.keyPem).export({
    type: "sec1",
    format: "pem",
  });
  assert(`${sec1}`.startsWith("-----BEGIN EC PRIVATE KEY-----"));
  const parameters =
    "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
  const pem = identity.certificatePem + parameters + sec1;
  assertEquals(parseIdentity(pem), identity);
});

const otherKey = block(HIGH, "PRIVATE KEY");
const ecKey = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey
  .export({ type: "pkcs8", format: "pem" }).toString();
const encryptedKey = generateKeyPairSync("ec", {
  namedCurve: "P-256",
  privateKeyEncoding: {
    type: "pkcs8",
    format: "pem",
    cipher: "aes-128-cbc",
    passphrase: "sesame",
  },
  publicKeyEncoding: { type: "spki", format: "pem" },
}).privateKey;
const BAD: [name: string, pem: string, words: string][] = [
  ["an empty file", "", "no certificates and no private keys"],
  ["no key", certificate, "1 certificate and no private keys"],
  ["no certificate", pkcs8, "no certificates and 1 private key"],
  ["two certificates", certificate + LOW, "2 certificates"],
  ["two keys", LOW + otherKey, "2 private keys"],
  ["another's key", certificate + otherKey, "does not belong"],
  ["a key of another kind", certificate + ecKey, "does not belong"],
  ["a stolen certificate", testdata("certs/low-stolen.pem"), "private key"],
  ["a passphrase", certificate + encryptedKey, "passphrase"],
  [
    "an old passphrase",
    certificate +
    `${pkcs1}`.replace(
      "KEY-----\n",
      "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n",
    ),
    "passphrase",
  ],
  [
    "a damaged certificate",
    certificate.replace("MII", "AAA") + pkcs8,
    "certificate cannot be read",
  ],
  [
    "a damaged key",
    certificate + pkcs8.replace("MII", "AAA"),
    "private key cannot be read",
  ],
  ["a short RSA key", testdata("certs/old-rsa1024-md5.pem"), "1024 bits"],
  ["an unusual curve", testdata("certs/secp256k1.pem"), "secp256k1"],
  ["a truncated file", LOW.slice(0, -100), "no private keys"],
];
for (const [name, pem, words] of BAD) {
  Deno.test(`an identity is refused: ${name}`, () => {
    const { message } = assertThrows(
      () => parseIdentity(pem),
      CertificateError,
      words,
    );
    assert(!message.includes("\n"), message);
    // Nothing that was in the file may be quoted.
    for (const line of pem.split("\n")) {
      assert(line.length < 8 || !message.includes(line), message);
    }
  });
}

Deno.test("no text is anything but an identity or a CertificateError", () => {
  // Every 7th byte changed in turn: whatever is still accepted must be a pair that matches.
  const bytes = new TextEncoder().encode(LOW);
  for (let i = 0; i < bytes.length; i += 7) {
    const changed = bytes.slice();
    changed[i] ^= 1;
    const pem = new TextDecoder().decode(changed);
    try {
      const identity = parseIdentity(pem);
      const key = createPrivateKey(identity.keyPem);
      assert(
        new X509Certificate(identity.certificatePem).checkPrivateKey(key),
      );
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error;
    }
  }
});
