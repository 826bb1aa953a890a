// Asks the API. Every error is one sentence that can be shown.

const ANSWER_MS_MAX = 15000; // whoever is silent for longer does not answer

export function apiAddress(path, parameters) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined && value !== '') query.set(name, value);
  }
  return `/api/${path}?${query}`;
}

// signal: of whoever may no longer want the answer; then an AbortError.
export async function ask(path, parameters, signal) {
  let response;
  let body = {};
  try {
    response = await fetch(apiAddress(path, parameters), {
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS_MAX)]),
      headers: { Accept: 'application/json' },
    });
    body = await response.json();
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (!response || response.ok) throw new Error('The dashboard does not answer.');
  }
  if (response.status === 401) {
    const { pathname, search } = window.location;
    window.location.assign(`/login?${new URLSearchParams({ next: pathname + search })}`);
    throw new DOMException('logging in', 'AbortError');
  }
  if (!response.ok) {
    const detail = typeof body.detail === 'string' ? body.detail : `the server answered ${response.status}`;
    throw new Error(`${detail[0].toUpperCase()}${detail.slice(1)}.`);
  }
  return body;
}
