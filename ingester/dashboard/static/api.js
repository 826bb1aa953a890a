// Asks the API. Every error is one sentence that can be shown.

export function apiAddress(path, parameters) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined && value !== '') query.set(name, value);
  }
  return `/api/${path}?${query}`;
}

export async function ask(path, parameters = {}, signal = undefined) {
  let response;
  try {
    response = await fetch(apiAddress(path, parameters), { signal, headers: { Accept: 'application/json' } });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Error('The dashboard does not answer.');
  }
  if (response.status === 401) {
    window.location.assign('/login');
    throw new DOMException('logging in', 'AbortError');
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok) {
    const detail = typeof body.detail === 'string' ? body.detail : `the server answered ${response.status}`;
    throw new Error(`${detail[0].toUpperCase()}${detail.slice(1)}.`);
  }
  return body;
}
