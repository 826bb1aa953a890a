// What overview and campaign share: the six numbers as cards, and the trend of the chosen one.

import { h, write } from './dom.js';
import { apiAddress } from './api.js';
import { changed } from './address.js';
import { Chart } from './chart.js';
import { METRICS, change, changeText, count, metricNamed, percent, periodText } from './format.js';

const LENGTH_MS = { hour: 3600e3, day: 86400e3, week: 7 * 86400e3, month: 28 * 86400e3 };
const PERIODS_MAX = 5000;

export class Cards {
  constructor(state) {
    this.cards = METRICS.map((metric) => {
      const [value, rate, before] = [h('strong'), h('span'), h('span', { class: 'soft' })];
      const element = h('a', {
        class: 'card metric', href: changed({ metric: metric.name }), 'data-metric': metric.name,
        'aria-current': state.metric === metric.name ? 'true' : null,
      }, h('span', { class: 'name' }, metric.title), value, h('span', { class: 'under' }, rate, before));
      return { metric, element, value, rate, before };
    });
    this.element = h('div', { class: 'cards', role: 'group', 'aria-label': 'Totals; choose one to chart it' },
      this.cards.map((card) => card.element));
  }

  show({ totals, previous }) {
    for (const { metric, value, rate, before } of this.cards) {
      write(value, count(totals[metric.name]));
      rate.textContent = metric.rate ? `${percent(totals[metric.rate])} ${metric.of}` : '';
      const moved = previous ? change(totals[metric.name], previous[metric.name]) : null;
      before.textContent = changeText(moved);
      before.title = moved === null ? '' : `${count(previous[metric.name])} in the range before`;
    }
  }
}

export function columnsOf(by, more = []) {
  return [
    { title: 'Period', head: true, cell: (row) => periodText(row.period_start, by) },
    ...METRICS.map((metric) => ({ title: metric.title, number: true, cell: (row) => count(row[metric.name]) })),
    { title: 'Open rate', number: true, cell: (row) => percent(row.open_rate) },
    { title: 'Reply rate', number: true, cell: (row) => percent(row.reply_rate) },
    ...more,
  ];
}

export class Trend {
  // more: further columns of the table.
  constructor(state, { onTable, more = [], parameters }) {
    this.state = state;
    this.more = more;
    const metric = metricNamed(state.metric);
    this.chart = new Chart({
      label: (seconds) => periodText(seconds * 1000, state.by), onTable, open: state.table,
    });
    const link = (format) => apiAddress('trend', { ...parameters, format });
    this.element = h('section', { class: 'card', 'aria-labelledby': 'trend-title' },
      h('div', { class: 'head' }, h('h2', { id: 'trend-title' }, `${metric.title} by ${state.by}`),
        exportLinks(link)),
      this.chart.element);
  }

  show({ periods }) {
    const { state } = this;
    const metric = metricNamed(state.metric);
    const points = filled(periods, state).map(([seconds, row]) => [seconds, row ? row[metric.name] : 0, row]);
    const total = periods.reduce((sum, period) => sum + period[metric.name], 0);
    this.chart.show({
      title: `${metric.title} by ${state.by}`,
      unit: state.by,
      points,
      columns: columnsOf(state.by, this.more),
      summary: periods.length ? `${count(total)} in ${periods.length} ${state.by}${periods.length === 1 ? '' : 's'} with events` : 'No events in this range.',
    });
  }

  leave() { this.chart.leave(); }
}

export function exportLinks(address) {
  return h('span', { class: 'exports' },
    h('a', { href: address('csv'), download: '' }, 'CSV'),
    h('a', { href: address('json'), target: '_blank', rel: 'noopener' }, 'JSON'));
}

// Periods without data are zero, not missing: a gap in the bars is the truth. A range of more periods
// than a chart can show begins and ends with what is known, and shows that alone if it is still too long.
function filled(periods, { from, to, by }) {
  const known = new Map(periods.map((period) => [Date.parse(period.period_start), period]));
  if (known.size === 0 && !from) return [];
  const first = periods.length ? Date.parse(periods[0].period_start) : Date.parse(`${from}T00:00:00Z`);
  const last = periods.length ? Date.parse(periods[periods.length - 1].period_start) : first;
  let start = from ? Math.min(first, begin(Date.parse(`${from}T00:00:00Z`), by)) : first;
  let end = to ? Math.max(last, Date.parse(`${to}T00:00:00Z`) + (by === 'hour' ? 23 * 3600e3 : 0)) : last;
  const isTooLong = () => (end - start) / LENGTH_MS[by] > PERIODS_MAX;
  if (isTooLong()) [start, end] = [first, last];
  if (isTooLong()) return periods.map((period) => [Date.parse(period.period_start) / 1000, period]);
  const found = [];
  for (let at = start; at <= end; at = next(at, by)) found.push([at / 1000, known.get(at) || null]);
  return found;
}

function begin(at, by) {
  const date = new Date(at);
  if (by === 'week') date.setUTCDate(date.getUTCDate() - ((date.getUTCDay() + 6) % 7));
  if (by === 'month') date.setUTCDate(1);
  return date.getTime();
}

function next(at, by) {
  const date = new Date(at);
  if (by === 'hour') date.setUTCHours(date.getUTCHours() + 1);
  else if (by === 'day') date.setUTCDate(date.getUTCDate() + 1);
  else if (by === 'week') date.setUTCDate(date.getUTCDate() + 7);
  else date.setUTCMonth(date.getUTCMonth() + 1);
  return date.getTime();
}
