// The service this page came from: where it is, the key to it, and requests that wait when they are told to.

import { Problem } from './problems.js';

/** The service's address, below whatever path a proxy has put it. Ends with a slash. */
export const base = new URL('.', document.baseURI).href;

const keyName = `key of ${base}`;

/** The API key: kept until this tab is closed, and nowhere but here. */
export const key = {
  get: () => sessionStorage.getItem(keyName) ?? '',
  set: (value) => (value ? sessionStorage.setItem(keyName, value) : sessionStorage.removeItem(keyName)),
};

/** The path and query of a request about one picture. Options that are not set are left out. */
export function address(path, options) {
  const query = Object.entries(options).filter(([, value]) => value !== null && value !== undefined && value !== '');
  return path + (query.length > 0 ? `?${new URLSearchParams(query)}` : '');
}

/** What the service can do: its OpenAPI document. */
export async function describe() {
  const description = await (await send('swagger/v1/swagger.json')).json();
  return {
    explains: Boolean(description.paths?.['/explain']),
    wantsKey: Boolean(description.components?.securitySchemes),
  };
}

/** The served model's card. */
export const model = async () => (await send('model')).json();

/** How the served model learned. */
export const history = async () => (await send('model/history')).json();

/** The verdict on one picture. */
export const classify = async (picture, options, aborted) => (await post('classify', picture, options, 'application/json', aborted)).json();

/** The picture with what spoke for and against a smile, as a picture. */
export const explain = async (picture, options, aborted) => (await post('explain', picture, options, 'image/png', aborted)).blob();

function post(path, picture, options, accept, aborted) {
  // By its bytes the service knows what a picture is; a file's own type may be wrong.
  const headers = { 'Content-Type': 'application/octet-stream', Accept: accept };
  return send(address(path, options), { method: 'POST', body: picture, headers, signal: aborted });
}

async function send(path, request = {}) {
  const headers = { ...request.headers, ...(key.get() ? { 'X-API-Key': key.get() } : {}) };
  const ask = () => fetch(base + path, { ...request, headers, referrerPolicy: 'no-referrer' });
  let response;
  try {
    // Once more, a moment later: when a device changes its network the browser drops all requests that are under way.
    response = await ask().catch(async (failure) => {
      if (failure.name === 'AbortError') {
        throw failure;
      }

      await pause(0.5, request.signal);
      return ask();
    });
  } catch (failure) {
    if (failure.name === 'AbortError') {
      throw failure;
    }

    throw Problem.unreachable();
  }

  if (!response.ok) {
    throw await Problem.of(response);
  }

  return response;
}

/** Waits, unless it is told to stop. */
export function pause(seconds, aborted) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    aborted?.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(aborted.reason);
    }, { once: true });
  });
}

/**
 * Few at a time, in order. Who is told to wait makes all wait: the next request would only be told the same.
 */
export class Turnstile {
  #waiting = [];
  #inside = 0;
  #closedUntil = 0;

  constructor(width) {
    this.width = width;
  }

  /** Seconds until the next may pass; 0 when it is open. */
  get closedFor() {
    return Math.max(0, (this.#closedUntil - performance.now()) / 1000);
  }

  close(seconds) {
    this.#closedUntil = Math.max(this.#closedUntil, performance.now() + seconds * 1000);
  }

  /** Runs an action when its turn has come, and again after a pause for as long as the service says that it should wait. */
  async pass(action, aborted, { tries = 10, onWait = () => {} } = {}) {
    await this.#enter(aborted);
    try {
      for (let left = tries - 1; ; left--) {
        while (this.closedFor > 0) {
          onWait(this.closedFor);
          await pause(this.closedFor, aborted);
        }

        try {
          return await action();
        } catch (failure) {
          if (!(failure instanceof Problem) || !failure.passes || left <= 0) {
            throw failure;
          }

          this.close(failure.retryAfter ?? 1);
        }
      }
    } finally {
      this.#leave();
    }
  }

  #enter(aborted) {
    aborted?.throwIfAborted();
    if (this.#inside < this.width) {
      this.#inside++;
      return Promise.resolve();
    }

    return new Promise((resolve, reject) => {
      const place = { resolve };
      this.#waiting.push(place);
      aborted?.addEventListener('abort', () => {
        const index = this.#waiting.indexOf(place);
        if (index >= 0) {
          this.#waiting.splice(index, 1);
          reject(aborted.reason);
        }
      }, { once: true });
    });
  }

  #leave() {
    const next = this.#waiting.shift();
    if (next) {
      next.resolve();
    } else {
      this.#inside--;
    }
  }
}
