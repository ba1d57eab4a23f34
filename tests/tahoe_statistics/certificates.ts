import { fromFileUrl } from "@std/path";

/**
 * A private authority and two certificates of it, for 127.0.0.1 and for the name other.example,
 * good for a hundred years. The authority's key is nowhere. Made with openssl req and x509.
 */
const directory = new URL("../testdata/tahoe/tls/", import.meta.url);

/** The path of the authority's certificate. */
export const authority: string = fromFileUrl(
  new URL("authority.pem", directory),
);

function read(name: string): { cert: string; key: string } {
  return {
    cert: Deno.readTextFileSync(new URL(`${name}.pem`, directory)),
    key: Deno.readTextFileSync(new URL(`${name}.key`, directory)),
  };
}

/** Certificates and their keys. */
export const certificates = { address: read("address"), name: read("name") };
