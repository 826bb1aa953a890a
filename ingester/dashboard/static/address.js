// The state of a view is its address: what is shown can be bookmarked, shared, and gone back to.

const PATHS = { '/': 'overview', '/campaign': 'campaign', '/operations': 'operations' };
const DAY = /^\d{4}-\d{2}-\d{2}$/;
const [DAY_MIN, DAY_MAX] = ['1970-01-01', '9999-12-30']; // those of the API

export const viewOf = (location) => PATHS[location.pathname] || 'overview';

export function today() {
  return new Date().toISOString().slice(0, 10);
}

export function shifted(day, days) {
  const at = new Date(`${day}T00:00:00Z`);
  at.setUTCDate(at.getUTCDate() + days);
  return at.toISOString().slice(0, 10);
}

// The text where it is a day that exists and may be asked for, else null.
function dayIn(text) {
  const isDay = DAY.test(text) && new Date(`${text}T00:00:00Z`).toJSON()?.slice(0, 10) === text;
  return isDay && text >= DAY_MIN && text <= DAY_MAX ? text : null;
}

// Everything that an address may say, with what holds where it says nothing.
export function stateOf(location) {
  const query = new URLSearchParams(location.search);
  const one = (name, allowed, otherwise) => (allowed.includes(query.get(name)) ? query.get(name) : otherwise);
  const [from, to] = [dayIn(query.get('from')), dayIn(query.get('to'))];
  const range = one('range', ['today', '7', '30', '90', '365', 'all'], from && to ? null : '30');
  const state = {
    campaign: query.get('id') || '',
    range,
    from,
    to,
    by: one('by', ['hour', 'day', 'week', 'month'], null),
    metric: one('metric', ['sent', 'opened', 'clicked', 'replied', 'positive_replies', 'bounced'], 'sent'),
    before: query.get('before'),
    why: dayIn(query.get('why')),
    after: query.get('after'),
    table: query.get('table') === '1',
  };
  if (range === 'all') [state.from, state.to] = [null, null];
  else if (range === 'today') state.from = state.to = today();
  else if (range) [state.from, state.to] = [shifted(today(), 1 - Number(range)), today()];
  state.by = state.by || (range === 'today' ? 'hour' : range === 'all' ? 'month' : range === '365' ? 'week' : 'day');
  if (state.by === 'hour' && !hoursAllowed(state)) state.by = 'day';
  return state;
}

export function hoursAllowed(state) {
  return Boolean(state.from && state.to && shifted(state.from, 31) > state.to);
}

// The present address with some parameters changed; null takes one away.
export function changed(changes, path = window.location.pathname) {
  const query = new URLSearchParams(path === window.location.pathname ? window.location.search : '');
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === undefined || value === '') query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

// A campaign's page, over the range that is shown now.
export function campaignAddress(id) {
  const now = new URLSearchParams(window.location.search);
  const kept = new URLSearchParams({ id });
  for (const name of ['range', 'from', 'to', 'by']) if (now.get(name)) kept.set(name, now.get(name));
  return `/campaign?${kept}`;
}
