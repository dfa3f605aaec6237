/** Why a call could not be made: one error class, and what refusals of the server and the browser mean. */

/**
 * Why a call could not be made, in words for people (`message`) and for programs (`code`):
 *
 * - before the server is asked: `insecure` (no HTTPS), `unsupported`, `permission`, `no-microphone`,
 *   `microphone-busy`
 * - the server cannot be asked: `unreachable`, `timeout`
 * - the server said no: `busy` and `too-many` (with `retryAfter_s`), `token-used`, `token-expired`,
 *   `unknown-token`, `not-allowed`, `unknown-flow`, `invalid` (with `fields`), `gone`, `refused` (any other)
 * - afterwards: `no-media` (no way through for the audio), `elsewhere` (another window has the call),
 *   `cancelled` (hung up meanwhile)
 */
export class CallError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {{status?: number, retryAfter_s?: number, fields?: {field: string, message: string}[], cause?: unknown}} [more]
   */
  constructor(code, message, {cause, status, retryAfter_s, fields = []} = {}) {
    super(message, {cause});
    this.name = "CallError";
    this.code = code;
    /** The HTTP status of the server's answer, if it gave one. */
    this.status = status;
    /** Seconds after which another try makes sense, if the server said so. */
    this.retryAfter_s = retryAfter_s;
    /** What is wrong with which field of the request. */
    this.fields = fields;
  }
}

/** Errors after which another try of the same cannot help. */
export const HOPELESS = new Set([
  "cancelled",
  "elsewhere",
  "gone",
  "not-allowed",
  "token-expired",
  "token-used",
  "unknown-token",
]);

const USED = ["token-used", "This call was made already: its token is good for one call."];
const UNKNOWN = ["unknown-token", "The server does not accept the token of this call."];
const OVER = ["gone", "The call is over."];
const UNFIT = ["invalid", "The server cannot use what was sent."];
const BUSY = ["busy", "All lines are busy."];

/** Why a token is refused. */
const BY_REASON = {
  used: USED,
  expired: ["token-expired", "It took too long to begin the call: its token is not good any more."],
};

/** By the kind of the problem (the end of its `type`); where there is none of these, by the status. */
const BY_KIND = {
  "token-refused": UNKNOWN,
  "no-capacity": BUSY,
  "unknown-flow": ["unknown-flow", "The server has no such flow."],
  "invalid-request": UNFIT,
};
const BY_STATUS = {
  401: UNKNOWN,
  403: ["not-allowed", "The server does not allow calls from here."],
  404: OVER,
  409: USED,
  410: OVER,
  422: UNFIT,
  429: ["too-many", "Too many calls from here in a short time."],
  503: BUSY,
};

/** Codes whose problem says more than we could. */
const EXPLAINED = new Set(["invalid", "not-allowed", "refused", "unknown-flow"]);

/** @param {Response} answer @param {string} text its body @returns {CallError} */
export function refusal(answer, text) {
  const problem = problemOf(text);
  const kind = String(problem.type ?? "").split("/").pop();
  const other = ["refused", `The server refused the call (status ${answer.status}).`];
  const [code, words] = BY_REASON[problem.reason] ?? BY_KIND[kind] ?? BY_STATUS[answer.status] ?? other;
  const retry = Number.parseInt(answer.headers.get("Retry-After") ?? "", 10);
  return new CallError(code, (EXPLAINED.has(code) && problem.detail) || words, {
    status: answer.status,
    retryAfter_s: Number.isFinite(retry) ? retry : undefined,
    fields: Array.isArray(problem.fields) ? problem.fields : [],
  });
}

/** @param {DOMException} error of getUserMedia @returns {CallError} */
export function unheard(error) {
  if (error instanceof CallError) return error;
  const cause = {cause: error};
  switch (error.name) {
    case "NotAllowedError":
    case "SecurityError":
      return new CallError("permission", "The microphone may not be used: allow it for this page in the browser.", cause);
    case "NotFoundError":
    case "OverconstrainedError":
      return new CallError("no-microphone", "There is no microphone.", cause);
    case "NotReadableError":
    case "AbortError":
      return new CallError("microphone-busy", "The microphone cannot be opened: another program may have it.", cause);
    default:
      return new CallError("no-microphone", `The microphone cannot be opened (${error.name}).`, cause);
  }
}

/** @param {unknown} [cause] @returns {CallError} */
export function cancelled(cause) {
  return new CallError("cancelled", "The call was ended before it began.", {cause});
}

/** @param {unknown} error @returns {CallError} */
export function asCallError(error) {
  if (error instanceof CallError) return error;
  return new CallError("refused", `The call failed: ${error.message}`, {cause: error});
}

/** A proxy's error page is no problem: then the status has to do. */
function problemOf(text) {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}
