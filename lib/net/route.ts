/**
 * Answers requests of one method and path, such as `POST /v1/metrics`.
 *
 * The request has its whole body, within the server's limits and as it was sent: an encoding such
 * as gzip is the handler's to undo, and to limit. What the handler throws becomes status 500.
 *
 * @param from The caller's numeric address.
 */
export type Handler = (request: Request, from: string) => Promise<Response>;
