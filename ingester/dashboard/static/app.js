// The page: shows the view that the address names, and asks again whenever there is news.

import { h, fill } from './dom.js';
import { stateOf, viewOf } from './address.js';
import { Live } from './live.js';
import { finder } from './finder.js';
import { Overview } from './overview.js';
import { Campaign } from './campaign.js';
import { Operations } from './operations.js';

const VIEWS = { overview: Overview, campaign: Campaign, operations: Operations };
const LOOK_MS = 3000; // lag and rate move without any refresh
const main = document.getElementById('main');
const problem = h('p', { class: 'notice', role: 'alert', hidden: true });
let shown = null; // the view on the page
let asking = null; // aborts what it is asking
let again = false; // news came while it asked

function replace(address) {
  window.history.replaceState(null, '', address);
}

function go(address) {
  if (address === window.location.pathname + window.location.search) return;
  window.history.pushState(null, '', address);
  show({ keepScroll: new URL(address, window.location.origin).pathname === shown?.path });
}

async function show({ keepScroll = false } = {}) {
  asking?.abort();
  asking = null;
  const name = viewOf(window.location);
  const state = stateOf(window.location);
  const left = shown;
  // A campaign's page without a campaign has nothing to show.
  const View = name === 'campaign' && !state.campaign ? Overview : VIEWS[name];
  const view = new View(state, { go, replace });
  shown = { view, name, path: window.location.pathname };
  document.title = `${view.name} · Campaign statistics`;
  for (const link of document.querySelectorAll('nav a')) {
    if (link.dataset.view === name) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  find.close();
  // What was shown stays until the new view has its numbers; the very first one has nothing to wait for.
  if (!left) fill(main, problem, view.element);
  await load();
  if (shown.view !== view) return;
  if (!left) { view.focus?.(); return; }
  const place = focusedPlace();
  left.view.leave();
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
  const { view } = shown;
  asking = new AbortController();
  const mine = asking;
  again = false;
  try {
    live.upTo(await view.load(mine.signal));
    problem.hidden = true;
  } catch (error) {
    if (error.name === 'AbortError') return;
    problem.textContent = error.message;
    problem.hidden = false;
    live.show(live.element.dataset.state);
  } finally {
    if (asking === mine) asking = null;
    main.setAttribute('data-loaded', shown?.name);
  }
  if (again && shown.view === view) await load();
}

function news() {
  if (asking) again = true;
  else if (shown) load();
}

document.addEventListener('click', (event) => {
  const link = event.target.closest?.('a[href]');
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
  if (link.target || link.hasAttribute('download') || link.origin !== window.location.origin) return;
  if (link.pathname.startsWith('/api/') || link.hash) return;
  event.preventDefault();
  go(link.pathname + link.search);
});
window.addEventListener('popstate', () => show());
setInterval(() => { if (shown?.name === 'operations' && !document.hidden) news(); }, LOOK_MS);

const find = finder(go);
const live = new Live(news);
show();
