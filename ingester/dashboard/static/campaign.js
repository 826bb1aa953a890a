// One campaign: its numbers, its funnel, its events, and why a number is what it is.

import { h, bar, table, update } from './dom.js';
import { apiAddress, ask } from './api.js';
import { changed } from './address.js';
import { METRICS, count, dayText, percent, periodText, timeText } from './format.js';
import { Cards, Trend, exportLinks } from './numbers.js';
import { rangePicker } from './range.js';
import { rangeText } from './overview.js';

const EVENTS = 15;
const EXPORT_EVENTS = 1000; // the longest page there is
const WHY_EVENTS = 10;
const TYPES = { sent: 'Sent', opened: 'Opened', clicked: 'Clicked', replied: 'Replied', positive_reply: 'Positive reply', bounced: 'Bounced' };

export class Campaign {
  constructor(state, { go, replace }) {
    this.state = state;
    this.name = state.campaign;
    this.range = { campaign: state.campaign, from: state.from, to: state.to };
    this.profile = h('p', { class: 'soft' });
    this.cards = new Cards(state);
    const why = { title: '', cell: (row) => h('a', { href: changed({ why: row.period_start.slice(0, 10), after: null }) }, 'Why?') };
    this.trend = new Trend(state, {
      parameters: { ...this.range, by: state.by },
      more: state.by === 'day' || state.by === 'hour' ? [why] : [],
      onTable: (open) => replace(changed({ table: open ? '1' : null })),
    });
    this.funnel = h('div');
    this.events = h('div');
    this.why = h('section', { class: 'card', id: 'why', tabindex: '-1', 'aria-labelledby': 'why-title', hidden: !state.why });
    this.element = h('div', {},
      h('div', { class: 'title' }, h('p', { class: 'soft crumb' }, h('a', { href: '/' }, 'All campaigns')),
        h('h1', { class: 'id' }, state.campaign), this.profile),
      rangePicker(state, go),
      this.cards.element,
      this.trend.element,
      this.why,
      h('div', { class: 'two' },
        h('section', { class: 'card', 'aria-labelledby': 'funnel-title' },
          h('div', { class: 'head' }, h('h2', { id: 'funnel-title' }, 'Funnel'), h('span', { class: 'soft' }, rangeText(state))), this.funnel),
        h('section', { class: 'card', 'aria-labelledby': 'events-title' },
          h('div', { class: 'head' }, h('h2', { id: 'events-title' }, 'Events'),
            exportLinks((format) => apiAddress('events', { ...this.range, before: state.before, limit: EXPORT_EVENTS, format }))),
          this.events)));
  }

  async load(signal) {
    const { state, range } = this;
    const [profile, totals, trend, events, why] = await Promise.all([
      ask('campaign', { campaign: state.campaign }, signal),
      ask('totals', range, signal),
      ask('trend', { ...range, by: state.by }, signal),
      ask('events', { ...range, before: state.before, limit: EVENTS }, signal),
      state.why ? this.askWhy(signal) : null,
    ]);
    this.showProfile(profile);
    this.cards.show(totals);
    this.trend.show(trend);
    this.showFunnel(totals.totals);
    this.showEvents(events);
    if (why?.problem) this.fillWhy(h('p', { class: 'notice', role: 'alert' }, why.problem));
    else if (why) this.showWhy(why);
    this.summary = `${count(totals.totals.sent)} sent, ${count(totals.totals.replied)} replied, ${rangeText(state)}`;
    return totals.as_of;
  }

  // A day may take longer to explain than a statement may take: the numbers are told all the same.
  async askWhy(signal) {
    const { campaign, why: day, after } = this.state;
    try {
      return await ask('why', { campaign, day, after, limit: WHY_EVENTS }, signal);
    } catch (error) {
      if (error.name === 'AbortError') throw error;
      return { problem: error.message };
    }
  }

  showProfile(profile) {
    const facts = [
      profile.first_date ? `First event ${dayText(profile.first_date)}` : 'No events have been counted',
      profile.last_activity && `last activity ${timeText(profile.last_activity)} UTC`,
      profile.last_reply_date && `last reply ${dayText(profile.last_reply_date)}`,
      profile.last_positive_reply_date && `last positive reply ${dayText(profile.last_positive_reply_date)}`,
    ];
    this.profile.textContent = facts.filter(Boolean).join(' · ');
  }

  showFunnel(totals) {
    const most = Math.max(...METRICS.map((metric) => totals[metric.name]), 1);
    update(this.funnel, h('dl', { class: 'funnel' }, METRICS.map((metric) => [
      h('dt', {}, metric.title),
      h('dd', {}, bar(totals[metric.name] / most, metric.name === 'bounced' ? 'warn' : ''),
        h('span', { class: 'number' }, count(totals[metric.name])),
        h('span', { class: 'soft' }, metric.rate ? `${percent(totals[metric.rate])} ${metric.of}` : '')),
    ])));
  }

  showEvents({ events, next_before: older }) {
    const { before } = this.state;
    update(this.events, eventTable('Events, the newest first', events, 'No events in this range.'),
      h('p', { class: 'pages' },
        before ? h('a', { href: changed({ before: null }) }, 'Newest') : null,
        older ? h('a', { href: changed({ before: older }), rel: 'next' }, 'Older') : null,
        older ? h('span', { class: 'soft' }, `CSV and JSON: up to ${count(EXPORT_EVENTS)} from here on`) : null));
  }

  showWhy(why) {
    const numbers = METRICS.map((metric) => `${count(why.shown[metric.name])} ${metric.title.toLowerCase()}`).join(', ');
    const isEqual = METRICS.every((metric) => why.shown[metric.name] === why.counted[metric.name]);
    const verdict = why.is_below_floor && !isEqual
      ? 'Retention has taken the events of this day; the statistics are kept.'
      : isEqual ? `Exactly the sum of ${count(why.events_total)} stored event${why.events_total === 1 ? '' : 's'}.`
        : 'The stored events add up to something else: run ingester verify.';
    const batches = new Map(why.ranges.map((batch) => [batch.batch_id, batch]));
    const columns = [
      { title: 'Topic, partition, offsets', head: true, cell: source },
      { title: 'Ingested (UTC)', class: 'time', cell: (batch) => timeText(batch.ingested_at) },
      { title: 'Events of this day', number: true, cell: (batch) => count(batch.events) },
      { title: 'Records in all', number: true, cell: (batch) => count(batch.records) },
      { title: 'Duplicates', number: true, cell: (batch) => count(batch.duplicates) },
      { title: 'Conflicting', number: true, cell: (batch) => count(batch.conflicting) },
      { title: 'Rejected', number: true, cell: (batch) => count(batch.rejected) },
    ];
    const legacy = why.legacy && h('p', {}, legacyText(why.legacy));
    this.fillWhy(
      h('p', {}, numbers, '. ', h('strong', {}, verdict)),
      legacy,
      h('h3', {}, 'Where the events came from'),
      table('Ledger ranges', columns, why.ranges, 'Nothing.'),
      h('p', { class: 'soft' }, `${count(why.ranges.length)} of ${count(why.ranges_total)} ranges shown; in all of them ${count(why.records)} records of any campaign, ${count(why.duplicates)} duplicates (${count(why.conflicting)} conflicting), ${count(why.rejected)} rejected.`),
      h('h3', {}, 'The events'),
      eventTable('Events of the day', why.events, 'None is stored.', [
        { title: 'Topic, partition, offsets', cell: (event) => source(batches.get(event.batch_id)) },
        { title: 'Ingested (UTC)', class: 'time', cell: (event) => timeText(batches.get(event.batch_id).ingested_at) },
      ]),
      h('p', { class: 'pages' },
        this.state.after ? h('a', { href: changed({ after: null }) }, 'First') : null,
        why.next_after ? h('a', { href: changed({ after: why.next_after }), rel: 'next' }, 'More') : null));
  }

  fillWhy(...told) {
    update(this.why,
      h('div', { class: 'head' }, h('h2', { id: 'why-title' }, `Why: ${periodText(this.state.why, 'day')}`),
        h('a', { href: changed({ why: null, after: null }) }, 'Close')), told);
  }

  // After a click on "Why?": the answer is further down than the eye.
  focus() {
    if (!this.state.why) return false;
    this.why.focus({ preventScroll: true });
    this.why.scrollIntoView({ block: 'start' });
    return true;
  }

  leave() { this.trend.leave(); }
}

function legacyText({ table: name, rows, problem }) {
  if (name === null) return 'Migrated from the old table, which has gone.';
  if (problem) return `Migrated from ${name}: ${problem}.`;
  const text = rows.map((row) => JSON.stringify(row)).join(' ');
  return `Migrated from ${name}: ${text || 'the row has gone'}`;
}

// Where a range of the ledger was read.
function source({ topic, partition, first_offset: first, next_offset: next }) {
  return topic === null ? 'written without Kafka' : `${topic}[${partition}] ${count(first)}–${count(next - 1)}`;
}

function eventTable(caption, events, empty, more = []) {
  return table(caption, [
    { title: 'When (UTC)', class: 'time', cell: (event) => timeText(event.occurred_at) },
    { title: 'Event', head: true, cell: (event) => TYPES[event.event_type] },
    { title: 'Count', number: true, cell: (event) => count(event.count) },
    { title: 'From', cell: (event) => (event.is_replayed ? 'migration' : 'live') },
    ...more,
    { title: 'Id', class: 'code', cell: (event) => event.event_id },
  ], events, empty);
}
