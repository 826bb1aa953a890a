// All campaigns: totals, trend, and those with the most.

import { h, bar, table, update } from './dom.js';
import { apiAddress, ask } from './api.js';
import { campaignAddress, changed } from './address.js';
import { count, dayText, metricNamed, percent } from './format.js';
import { Cards, Trend, exportLinks } from './numbers.js';
import { rangePicker } from './range.js';

const TOP_ROWS = 20;

export class Overview {
  constructor(state, { go, replace }) {
    this.state = state;
    const days = { from: state.from, to: state.to };
    this.days = days;
    this.cards = new Cards(state);
    this.trend = new Trend(state, {
      parameters: { ...days, by: state.by },
      onTable: (open) => replace(changed({ table: open ? '1' : null })),
    });
    this.top = h('div');
    const metric = metricNamed(state.metric);
    this.element = h('div', {},
      h('div', { class: 'title' }, h('h1', {}, 'All campaigns'), h('p', { class: 'soft' }, comparedText(state))),
      rangePicker(state, go),
      this.cards.element,
      this.trend.element,
      h('section', { class: 'card', 'aria-labelledby': 'top-title' },
        h('div', { class: 'head' }, h('h2', { id: 'top-title' }, `Top campaigns by ${metric.title.toLowerCase()}`),
          exportLinks((format) => apiAddress('top', { ...days, metric: state.metric, limit: 1000, format }))),
        this.top));
    this.name = 'All campaigns';
  }

  async load(signal) {
    const { state, days } = this;
    const [totals, trend, top] = await Promise.all([
      ask('totals', days, signal),
      ask('trend', { ...days, by: state.by }, signal),
      ask('top', { ...days, metric: state.metric, limit: TOP_ROWS }, signal),
    ]);
    this.cards.show(totals);
    this.trend.show(trend);
    this.showTop(top.campaigns);
    this.summary = `${count(totals.totals.sent)} sent, ${count(totals.totals.replied)} replied, ${rangeText(state)}`;
    return totals.as_of;
  }

  showTop(campaigns) {
    const { name, title } = metricNamed(this.state.metric);
    const most = campaigns.length ? campaigns[0][name] : 0;
    const rate = (heading, field) => ({ title: heading, number: true, cell: (row) => percent(row[field]) });
    const columns = [
      { title: 'Campaign', head: true, cell: (row) => h('a', { href: campaignAddress(row.campaign_id) }, row.campaign_id) },
      { title, number: true, cell: (row) => count(row[name]) },
      { title: '', class: 'fills', cell: (row) => bar(most ? row[name] / most : 0) },
      rate('Open rate', 'open_rate'), rate('Reply rate', 'reply_rate'),
      rate('Positive', 'positive_rate'), rate('Bounce rate', 'bounce_rate'),
    ];
    update(this.top, table('Top campaigns', columns, campaigns, 'No campaign has events in this range.'));
  }

  leave() { this.trend.leave(); }
}

export function comparedText(state) {
  if (!state.from || !state.to) return rangeText(state);
  const days = (Date.parse(state.to) - Date.parse(state.from)) / 86400e3 + 1;
  return `${rangeText(state)}, compared with the ${days === 1 ? 'day' : `${days} days`} before`;
}

export function rangeText({ from, to }) {
  if (!from && !to) return 'since the beginning';
  return from === to ? dayText(from) : `${dayText(from)} to ${dayText(to)}`;
}
