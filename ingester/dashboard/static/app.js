// The page: shows the view that the address names, and asks again whenever there is news.

import { h, announce, fill } from './dom.js';
import { stateOf, viewOf } from './address.js';
import { Live } from './live.js';
import { finder } from './finder.js';
import { Overview } from './overview.js';
import { Campaign } from './campaign.js';
import { Operations } from './operations.js';

const VIEWS = { overview: Overview, campaign: Campaign, operations: Operations };
const LOOK_MS = 3000; // lag, rate and the day move without any refresh
const RETRY_MS = 5000;
const main = document.getElementById('main');
const problem = h('p', { class: 'notice', role: 'alert', hidden: true });
let shown = null; // the view that the address names
let displayed = null; // the view on the page: the one before, until that one has its numbers
let announced = null; // the view that screen readers were told of
let asking = null; // aborts what it is asking
let again = false; // news came while it asked
let retry; // asks once more after a failure

const address = () => window.location.pathname + window.location.search;

function replace(to) {
  window.history.replaceState(null, '', to);
  shown.address = address();
}

function go(to) {
  find.close();
  const next = new URL(to, window.location.origin);
  const keepScroll = next.pathname === shown.path;
  // A table stays as it is, whatever it was when the link was made.
  if (keepScroll) {
    if (stateOf(window.location).table) next.searchParams.set('table', '1');
    else next.searchParams.delete('table');
  }
  if (next.pathname + next.search === address()) return;
  window.history.pushState(null, '', next);
  show({ keepScroll });
}

async function show({ keepScroll = false } = {}) {
  asking?.abort();
  asking = null;
  const name = viewOf(window.location);
  const state = stateOf(window.location);
  // A campaign's page without a campaign has nothing to show.
  const View = name === 'campaign' && !state.campaign ? Overview : VIEWS[name];
  const view = new View(state, { go, replace });
  if (shown !== displayed) shown.view.leave();
  shown = { view, name, state, path: window.location.pathname, address: address() };
  document.title = `${view.name} · Campaign statistics`;
  for (const link of document.querySelectorAll('nav a')) {
    if (link.dataset.view === name) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  // What was shown stays until the new view has its numbers; the very first one has nothing to wait for.
  const isFirst = !displayed;
  if (isFirst) {
    displayed = shown;
    fill(main, problem, view.element);
  }
  await load();
  if (shown.view !== view) return;
  if (isFirst) { view.focus?.(); return; }
  const place = focusedPlace();
  const left = displayed;
  left.view.leave();
  displayed = shown;
  fill(main, problem, view.element);
  if (!keepScroll) window.scrollTo(0, 0);
  if (view.focus?.()) return;
  if (left.name === name) restoreFocus(place);
  else main.focus({ preventScroll: true });
}

// A link that was followed is drawn anew: who came by keyboard stays where they were.
function focusedPlace() {
  const at = document.activeElement;
  if (!main.contains(at)) return null;
  return [...main.querySelectorAll('a, button, input, summary')].indexOf(at);
}

function restoreFocus(place) {
  if (place === null || place < 0) return;
  main.querySelectorAll('a, button, input, summary')[place]?.focus({ preventScroll: true });
}

async function load() {
  clearTimeout(retry);
  const { view } = shown;
  asking = new AbortController();
  const mine = asking;
  again = false;
  try {
    live.upTo(await view.load(mine.signal));
    problem.hidden = true;
    // Numbers that change each second would leave nothing else to be heard.
    if (announced !== view) announce(view.summary);
    announced = view;
  } catch (error) {
    if (error.name === 'AbortError') return;
    problem.textContent = error.message;
    problem.hidden = false;
    live.show(live.element.dataset.state);
    retry = setTimeout(news, RETRY_MS);
  } finally {
    if (asking === mine) asking = null;
    main.setAttribute('data-loaded', shown?.name);
  }
  // Not waited for: news may come without end.
  if (again && shown.view === view) void load();
}

function hasNewDay() {
  const { from, to } = stateOf(window.location);
  return from !== shown.state.from || to !== shown.state.to;
}

function news() {
  if (hasNewDay()) show({ keepScroll: true });
  else if (asking) again = true;
  else load();
}

document.addEventListener('click', (event) => {
  const link = event.target.closest?.('a[href]');
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
  if (link.target || link.hasAttribute('download') || link.origin !== window.location.origin) return;
  if (link.pathname.startsWith('/api/') || link.hash) return;
  event.preventDefault();
  go(link.pathname + link.search);
});
window.addEventListener('popstate', () => {
  if (address() === shown.address) return; // a jump within the page
  find.close();
  show({ keepScroll: true }); // the browser has put it back
});
setInterval(() => { if (!document.hidden && (shown.name === 'operations' || hasNewDay())) news(); }, LOOK_MS);

const find = finder(go);
const live = new Live(news);
show();
