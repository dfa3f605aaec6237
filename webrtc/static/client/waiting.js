/** Waiting with a deadline. */

/** A promise with its two ends. */
export function deferred() {
  let resolve, reject;
  const promise = new Promise((yes, no) => ([resolve, reject] = [yes, no]));
  promise.catch(() => undefined); // whoever waits is told; perhaps nobody does yet
  return {promise, resolve, reject};
}

/**
 * What the promise gives, unless the deadline passes or `over` is aborted before.
 * @template T
 * @param {Promise<T>} promise
 * @param {number} wait_s
 * @param {AbortSignal} over
 * @param {(over: boolean) => Error} error what to reject with; whether it was `over`
 * @returns {Promise<T>}
 */
export async function within(promise, wait_s, over, error) {
  const limit = deferred();
  const stop = () => limit.reject(error(true));
  const timer = setTimeout(() => limit.reject(error(false)), wait_s * 1000);
  over.addEventListener("abort", stop);
  if (over.aborted) stop();
  try {
    return await Promise.race([promise, limit.promise]);
  } finally {
    clearTimeout(timer);
    over.removeEventListener("abort", stop);
  }
}

/** Waits so long, or until the event comes. */
export function pause(wait_s, target, type) {
  const {promise, resolve} = deferred();
  const timer = setTimeout(resolve, wait_s * 1000);
  target?.addEventListener(type, resolve);
  return promise.finally(() => {
    clearTimeout(timer);
    target?.removeEventListener(type, resolve);
  });
}
