// How the system stands, for those who run it.

import { h, announce, bar, table, update, write } from './dom.js';
import { ask } from './api.js';
import { ago, bytes, clockText, count, dayText, decimal, timeText } from './format.js';
import { Chart } from './chart.js';
import { changed } from './address.js';

const TILES = [
  ['rate', 'Records a second'], ['lag', 'Lag, records'], ['behind', 'Statistics behind'],
  ['refresh', 'Last refresh'], ['rejects', 'Open rejects'], ['months', 'Months ahead'],
];

export class Operations {
  constructor(state, { replace }) {
    this.name = 'Operations';
    this.tiles = Object.fromEntries(TILES.map(([key]) => [key, { value: h('strong'), under: h('span', { class: 'under soft' }) }]));
    this.chart = new Chart({
      label: (seconds) => `${clockText(seconds * 1000)} UTC, ten seconds`, open: state.table, height: 180,
      onTable: (open) => replace(changed({ table: open ? '1' : null })),
    });
    this.parts = Object.fromEntries(['partitions', 'rejects', 'storage', 'months', 'migration'].map((key) => [key, h('div')]));
    const card = (key, title) => h('section', { class: 'card', 'aria-label': title }, h('div', { class: 'head' }, h('h2', {}, title)), this.parts[key]);
    this.element = h('div', {},
      h('div', { class: 'title' }, h('h1', {}, 'Operations'), h('p', { class: 'soft' }, 'Ingestion, statistics and storage as PostgreSQL knows them; lag as Kafka does.')),
      h('div', { class: 'cards' }, TILES.map(([key, title]) => h('div', { class: 'card metric', 'data-tile': key }, h('span', { class: 'name' }, title), this.tiles[key].value, this.tiles[key].under))),
      h('section', { class: 'card', 'aria-label': 'Ingestion' }, h('div', { class: 'head' }, h('h2', {}, 'Records ingested, by ten seconds')), this.chart.element),
      card('partitions', 'Topic partitions'),
      h('div', { class: 'two halves' }, card('rejects', 'Rejects by reason'),
        h('div', {}, card('storage', 'Storage'), card('months', 'Monthly partitions'), card('migration', 'Migration'))));
  }

  async load(signal) {
    const now = await ask('operations', {}, signal);
    this.showTiles(now);
    this.showRate(now);
    this.showPartitions(now);
    this.showRejects(now.rejects);
    this.showStorage(now.storage_bytes);
    this.showMonths(now.leaves);
    this.showMigration(now);
    const isFailing = now.freshness.last_failure !== null;
    this.summary = this.tiles.refresh.under.textContent;
    if (this.wasFailing === !isFailing) announce(this.summary);
    this.wasFailing = isFailing;
    return now.at;
  }

  showTiles(now) {
    const { freshness, leaves } = now;
    const open = now.rejects.filter((row) => row.state === 'new').reduce((sum, row) => sum + row.count, 0);
    const put = (key, value, under, warn = false) => {
      // What passes by itself is no news.
      if (key === 'refresh' || key === 'behind') this.tiles[key].value.textContent = value;
      else write(this.tiles[key].value, value);
      this.tiles[key].under.textContent = under;
      this.tiles[key].value.parentElement.classList.toggle('warns', warn);
    };
    put('rate', decimal(now.records_per_second), 'over the last minute');
    put('lag', now.lag === null ? 'unknown' : count(now.lag), now.lag === null ? (now.lag_problem ? 'Kafka does not answer here' : 'asking Kafka') : `${count(now.partitions.length)} partitions`);
    put('behind', `${decimal(freshness.seconds_behind)} s`, `${count(freshness.unfolded_events)} events to fold`, freshness.seconds_behind > 60);
    const failed = freshness.last_failure && (!freshness.last_refresh || freshness.last_failure > freshness.last_refresh);
    put('refresh', ago(freshness.last_refresh, now.at), failed ? `failed: ${freshness.last_error}` : freshness.last_failure ? `last failure ${ago(freshness.last_failure, now.at)}` : 'no failure recorded', failed);
    put('rejects', count(open), `${count(now.totals.rejected || 0)} ever rejected`);
    put('months', count(leaves.months_ahead), leaves.gaps.length ? `${leaves.gaps.length} missing between` : 'none missing between', leaves.months_ahead < 1 || leaves.gaps.length > 0);
  }

  showRate({ rate, at }) {
    const known = new Map(rate.map((row) => [Date.parse(row.since) / 1000, row]));
    const end = Math.floor(Date.parse(at) / 10000) * 10;
    const points = [];
    for (let second = end - 590; second <= end; second += 10) points.push([second, known.get(second)?.records || 0, known.get(second) || null]);
    this.chart.show({
      title: 'Records ingested, by ten seconds',
      unit: 'ten seconds',
      points,
      summary: `${count(points.reduce((sum, point) => sum + point[1], 0))} in the last ten minutes`,
      columns: [
        { title: 'From (UTC)', head: true, cell: (row) => clockText(row.since) },
        { title: 'Records', number: true, cell: (row) => count(row.records) },
        { title: 'New events', number: true, cell: (row) => count(row.inserted) },
      ],
    });
  }

  showPartitions({ partitions }) {
    const number = (title, field) => ({ title, number: true, cell: (row) => count(row[field]) });
    update(this.parts.partitions, table('Topic partitions', [
      { title: 'Partition', head: true, cell: (row) => `${row.topic}[${row.partition}]` },
      number('Next offset', 'next_offset'), number('Lag', 'lag'), number('Records', 'records'),
      number('Events', 'inserted'), number('Duplicates', 'duplicates'), number('Rejected', 'rejected'),
      { title: 'Last write (UTC)', class: 'time', cell: (row) => timeText(row.updated_at) },
    ], partitions, 'No partition has been assigned yet: start ingester run.'));
  }

  showRejects(rejects) {
    const most = Math.max(...rejects.map((row) => row.count), 1);
    update(this.parts.rejects, table('Rejects by reason', [
      { title: 'Reason', head: true, cell: (row) => row.reason_code },
      { title: 'State', cell: (row) => row.state },
      { title: 'Records', number: true, cell: (row) => count(row.count) },
      { title: '', class: 'fills', cell: (row) => bar(row.count / most) },
    ], rejects, 'None.'));
  }

  showStorage(storage) {
    const { total, ...parts } = storage;
    const rows = Object.entries(parts).map(([name, size]) => ({ name, size })).sort((a, b) => b.size - a.size);
    update(this.parts.storage, table('Storage', [
      { title: 'What', head: true, cell: (row) => row.name },
      { title: 'On disk', number: true, cell: (row) => bytes(row.size) },
      { title: '', class: 'fills', cell: (row) => bar(row.size / Math.max(total, 1)) },
    ], rows), h('p', { class: 'soft' }, `${bytes(total)} in all, indexes included.`));
  }

  showMonths(leaves) {
    const facts = [
      ['Months', count(leaves.count)], ['First', dayText(leaves.first)], ['Last', dayText(leaves.last)],
      ['Missing', leaves.gaps.length ? leaves.gaps.map(dayText).join(', ') : 'none'],
      ['Events kept since', leaves.floor ? dayText(leaves.floor) : 'the beginning'],
    ];
    update(this.parts.months, h('dl', { class: 'facts' }, facts.map(([name, value]) => [h('dt', {}, name), h('dd', {}, value)])));
  }

  showMigration({ replay, migration_steps: steps }) {
    if (!replay) { update(this.parts.migration, h('p', { class: 'soft' }, 'No replay of an old table has begun.')); return; }
    const share = replay.ranges ? replay.ranges_done / replay.ranges : 0;
    update(this.parts.migration,
      h('p', {}, `${count(replay.events_done)} of ${count(replay.events)} events published, ${count(replay.ranges_done)} of ${count(replay.ranges)} ranges; days before ${dayText(replay.cut_date)}.`),
      h('p', {}, bar(share)),
      table('Steps taken', [
        { title: 'Step', head: true, cell: (row) => row.step },
        { title: 'Times', number: true, cell: (row) => count(row.times) },
        { title: 'Last (UTC)', class: 'time', cell: (row) => timeText(row.taken_at) },
      ], steps, 'No further step has been taken.'));
  }

  leave() { this.chart.leave(); }
}
