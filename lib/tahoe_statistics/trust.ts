import { X509Certificate } from "node:crypto";
import { messageOf, UserError } from "../errors.ts";
import { reasonOf } from "../secret_file.ts";

const CERTIFICATE =
  /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/**
 * Reads the certificates of the authorities that are trusted for https, those of a private one, say.
 * @returns The file's text, for `ca` of `fetchPage`.
 * @throws UserError when it cannot be read or has no certificate in it that can be used.
 */
export async function readTrust(path: string): Promise<string> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (error) {
    throw new UserError(`cannot read ${path}: ${reasonOf(error)}`);
  }
  const certificates = text.match(CERTIFICATE) ?? [];
  try {
    for (const certificate of certificates) new X509Certificate(certificate);
  } catch (error) {
    throw new UserError(
      `cannot use ${path}: a certificate in it is damaged: ${messageOf(error)}`,
    );
  }
  if (certificates.length === 0) {
    throw new UserError(
      `cannot use ${path}: there is no certificate in it; ` +
        "it is to be the certificate of an authority, in PEM",
    );
  }
  return text;
}
