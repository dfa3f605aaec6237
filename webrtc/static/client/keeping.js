/** A call that outlives its page: what is kept of it in the tab, and who may have it. */

import {CallError} from "./errors.js";
import {deferred} from "./waiting.js";

const KEY = "ivr-call";
const PATIENCE_MS = 2000; // a page that goes away keeps its lock for a moment

/**
 * @typedef {object} Session
 * @property {string} session_id
 * @property {string} secret
 * @property {string} call_id
 * @property {number} reconnect_s
 * @property {RTCIceServer[]} iceServers
 * @property {number} began as Date.now()
 */

/** @returns {Storage | null} the tab's; null where the browser's settings forbid it */
export function storageOfTab() {
  try {
    return globalThis.sessionStorage ?? null;
  } catch {
    return null;
  }
}

/** @param {Storage | null} storage @param {Session} session */
export function remember(storage, session) {
  try {
    storage?.setItem(KEY, JSON.stringify(session));
  } catch {
    // full or forbidden: the call will not outlive this page
  }
}

/** @param {Storage | null} storage @returns {Session | null} */
export function recall(storage) {
  try {
    const kept = JSON.parse(storage?.getItem(KEY) ?? "null");
    return typeof kept?.session_id === "string" && typeof kept.secret === "string" ? kept : null;
  } catch {
    return null;
  }
}

/** @param {Storage | null} storage @param {Session} session */
export function forget(storage, session) {
  if (recall(storage)?.session_id === session.session_id) storage.removeItem(KEY);
}

/**
 * Makes this page the one that has the call, until `over`: a tab that is duplicated has what was kept, too, and
 * two pages would take the call from each other without end. Rejects with `elsewhere`.
 * @param {Session} session @param {AbortSignal} over
 */
export function holdAlone(session, over) {
  if (!navigator.locks) return Promise.resolve();
  const held = deferred();
  const hold = () => {
    held.resolve();
    return new Promise((release) => {
      over.addEventListener("abort", release);
      if (over.aborted) release();
    });
  };
  navigator.locks
    .request(`${KEY}:${session.session_id}`, {signal: AbortSignal.timeout(PATIENCE_MS)}, hold)
    .catch(() => held.reject(new CallError("elsewhere", "Another window of this browser has the call.")));
  return held.promise;
}
