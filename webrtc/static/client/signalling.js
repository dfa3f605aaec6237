/** The HTTP side of a call: one request for each thing that is to be agreed. */

import {CallError, cancelled, refusal} from "./errors.js";

const ASK_S = 10;
const RENEW_S = 4;
const END_S = 3;

export class Signalling {
  #server;
  #over;

  /** @param {URL} server @param {AbortSignal} over cuts what is still asked, but for the hang-up */
  constructor(server, over) {
    this.#server = server;
    this.#over = over;
  }

  /** A one-time token, where the phone page is open to this browser. */
  ticket({flow, params = {}, language}) {
    return this.#ask("POST", "api/voice/phone/sessions", {body: {flow, params, language}});
  }

  start(token, offer) {
    return this.#ask("POST", "api/voice/stream/start", {bearer: token, body: offer});
  }

  /** The same call over a new connection. */
  renew(session, offer) {
    return this.#ask("PATCH", pathOf(session), {bearer: session.secret, body: offer, wait_s: RENEW_S});
  }

  trickle(session, candidates) {
    return this.#ask("PATCH", pathOf(session), {bearer: session.secret, body: {candidates}});
  }

  /** Hangs up; also while the page goes away. */
  end(session) {
    return this.#ask("DELETE", pathOf(session), {bearer: session.secret, last: true, wait_s: END_S});
  }

  async #ask(method, path, {bearer, body, last = false, wait_s = ASK_S}) {
    const headers = new Headers({Accept: "application/json"});
    if (bearer) headers.set("Authorization", `Bearer ${bearer}`);
    if (body) headers.set("Content-Type", "application/json");
    const signal = last ? AbortSignal.timeout(wait_s * 1000) : AbortSignal.any([this.#over, AbortSignal.timeout(wait_s * 1000)]);
    try {
      const answer = await fetch(new URL(path, this.#server), {
        method,
        headers,
        signal,
        keepalive: last,
        cache: "no-store",
        body: body && JSON.stringify(body),
      });
      const text = await answer.text();
      if (!answer.ok) throw refusal(answer, text);
      return text ? JSON.parse(text) : null;
    } catch (error) {
      throw this.#meaning(error, wait_s, last);
    }
  }

  #meaning(error, wait_s, last) {
    const cause = {cause: error};
    if (error instanceof CallError) return error;
    if (this.#over.aborted && !last) return cancelled(error);
    if (error.name === "TimeoutError") {
      return new CallError("timeout", `The server did not answer within ${wait_s} seconds.`, cause);
    }
    if (error instanceof SyntaxError) {
      return new CallError("refused", "The server's answer is not what this page understands.", cause);
    }
    return new CallError("unreachable", "The server cannot be reached.", cause);
  }
}

function pathOf(session) {
  return `api/voice/stream/${encodeURIComponent(session.session_id)}`;
}
