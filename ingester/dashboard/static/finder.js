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

  const close = () => { clearTimeout(timer); asking?.abort(); list.hidden = true; fill(list); };

  // isEntered: what was typed is opened where a campaign has exactly this id, else the first that was found.
  async function look(isEntered) {
    clearTimeout(timer);
    asking?.abort();
    const text = input.value.trim();
    if (!text) { close(); return; }
    asking = new AbortController();
    const { signal } = asking;
    let lines;
    try {
      if (isEntered && (await ask('campaign', { campaign: text }, signal)).first_date) { go(campaignAddress(text)); return; }
      const { campaigns } = await ask('campaigns', { containing: text, limit: 8 }, signal);
      if (isEntered && campaigns.length) { go(campaignAddress(campaigns[0].campaign_id)); return; }
      lines = campaigns.map((campaign) => h('li', {}, h('a', { href: campaignAddress(campaign.campaign_id) }, campaign.campaign_id)));
      if (lines.length === 0) lines = [h('li', { class: 'soft' }, 'No campaign found')];
    } catch (error) {
      if (error.name === 'AbortError') return;
      lines = [h('li', { class: 'soft' }, error.message)];
    }
    fill(list, lines);
    list.hidden = false;
  }

  input.addEventListener('input', () => { clearTimeout(timer); timer = setTimeout(look, PAUSE_MS, false); });
  form.addEventListener('submit', (event) => { event.preventDefault(); look(true); });
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
