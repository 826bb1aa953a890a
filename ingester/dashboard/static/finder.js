// Finds campaigns by a part of their id, while one types; arrows and Tab go through what was found.

import { h, fill } from './dom.js';
import { ask } from './api.js';
import { campaignAddress } from './address.js';

const PAUSE_MS = 150;

export function finder(go) {
  const form = document.getElementById('find');
  const input = document.getElementById('find-text');
  const list = document.getElementById('found');
  let timer;
  let asking;

  const close = () => { list.hidden = true; fill(list); };

  async function look() {
    asking?.abort();
    const containing = input.value.trim();
    if (!containing) { close(); return; }
    asking = new AbortController();
    let lines;
    try {
      const { campaigns } = await ask('campaigns', { containing, limit: 8 }, asking.signal);
      lines = campaigns.map((campaign) => h('li', {}, h('a', { href: campaignAddress(campaign.campaign_id) }, campaign.campaign_id)));
      if (lines.length === 0) lines = [h('li', { class: 'soft' }, 'No campaign found')];
    } catch (error) {
      if (error.name === 'AbortError') return;
      lines = [h('li', { class: 'soft' }, error.message)];
    }
    fill(list, lines);
    list.hidden = false;
  }

  input.addEventListener('input', () => { clearTimeout(timer); timer = setTimeout(look, PAUSE_MS); });
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    clearTimeout(timer);
    await look();
    const links = [...list.querySelectorAll('a')];
    const exact = links.find((link) => link.textContent === input.value.trim()) || links[0];
    if (exact) go(exact.getAttribute('href'));
  });
  form.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') { close(); input.focus(); }
    if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
    const stops = [input, ...list.querySelectorAll('a')];
    const at = stops.indexOf(document.activeElement) + (event.key === 'ArrowDown' ? 1 : -1);
    if (stops[at]) { event.preventDefault(); stops[at].focus(); }
  });
  form.addEventListener('focusout', (event) => { if (!form.contains(event.relatedTarget)) close(); });
  return { close: () => { close(); input.value = ''; } };
}
