/** The HTTP API. Errors are its problem documents. */

export class Problem extends Error {
  constructor(status, document) {
    super(document?.detail ?? `The server answered ${status}.`);
    this.status = status;
    this.code = document?.code ?? '';
    this.errors = document?.errors ?? [];
  }
}

/** Called when the server wants a token: the page to sign in. */
export const session = { lost: () => {} };

/** The answer's document; null for an empty one. */
async function send(method, path, body, { signal, headers } = {}) {
  let answer;
  try {
    answer = await fetch(`/api/v1${path}`, {
      method,
      signal,
      headers: {
        accept: 'application/json',
        ...(method === 'GET' ? {} : { 'x-metaopt': '1' }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: 'same-origin',
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, { detail: 'The server does not answer.', code: 'unreachable' });
  }
  if (answer.status === 204) return null;
  const document = await answer.json().catch(() => null);
  if (answer.ok) return document;
  if (answer.status === 401 && path !== '/session') session.lost();
  throw new Problem(answer.status, document);
}

export const api = {
  get: (path, signal) => send('GET', path, undefined, { signal }),
  post: (path, body, signal, headers) => send('POST', path, body, { signal, headers }),
  patch: (path, body) => send('PATCH', path, body),
  put: (path, body) => send('PUT', path, body),
  delete: path => send('DELETE', path),
};

/** Whether the API lets the signed-in user change a run. */
export const mayChange = (run, me) => me.scopes.includes('runs:write') && (run.owner === me.name || me.scopes.includes('admin'));

/** Null instead of an error when the server has no such address or thing, or does not let us see it. */
export async function optional(answer) {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Problem && [403, 404, 405].includes(error.status)) return null;
    throw error;
  }
}

/**
 * Does some work now and every few seconds. The first failure is the page's, which has nothing to show; see repeat for later
 * ones.
 */
export async function poll(seconds, signal, work, lost) {
  await work();
  repeat(seconds, signal, work, lost);
}

/**
 * Does some work every few seconds while the page is visible; calls lost(true) when the server does not answer and lost(false)
 * when it does again.
 */
export function repeat(seconds, signal, work, lost = () => {}) {
  let timer;
  const wait = () => {
    if (!signal.aborted) timer = setTimeout(turn, seconds * 1000);
  };
  const turn = async () => {
    clearTimeout(timer);
    try {
      if (!document.hidden) await work();
      lost(false);
    } catch (error) {
      if (signal.aborted || (error instanceof Problem && error.status === 401)) return;
      lost(true);
    }
    wait();
  };
  document.addEventListener(
    'visibilitychange',
    () => {
      if (!document.hidden) turn();
    },
    { signal },
  );
  signal.addEventListener('abort', () => clearTimeout(timer));
  wait();
}
