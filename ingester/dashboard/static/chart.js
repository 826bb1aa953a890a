// A bar chart of one series over time (uPlot), the value under the pointer as text, and the same as
// a table for everybody whom a canvas does not help.

import { h, table, update } from './dom.js';
import { axisText, compact, count } from './format.js';

const HEIGHT = 240;
const WHOLE = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10].flatMap((power) => [1, 2, 5].map((step) => step * 10 ** power));
const dark = window.matchMedia('(prefers-color-scheme: dark)');

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

export class Chart {
  // label: (seconds) => text of a period; onTable: told whether the table is open.
  constructor({ label, onTable, open = false, height = HEIGHT }) {
    this.label = label;
    this.height = height;
    this.readout = h('p', { class: 'readout' });
    this.canvas = h('div', { class: 'canvas', 'aria-hidden': 'true' });
    this.rows = h('div');
    this.details = h('details', { open, class: 'as-table' }, h('summary', {}, 'Show as table'), this.rows);
    this.details.addEventListener('toggle', () => { onTable(this.details.open); this.drawTable(); });
    this.element = h('figure', { class: 'chart' }, this.readout, this.canvas, this.details);
    this.plot = null;
    this.data = null;
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.canvas);
    this.onScheme = () => this.draw();
    dark.addEventListener('change', this.onScheme);
  }

  // points: [[seconds, value, row]]; columns: of the table.
  show({ title, points, columns, summary, unit }) {
    Object.assign(this, { title, points, columns, summary, unit });
    this.data = [points.map((point) => point[0]), points.map((point) => point[1])];
    if (this.plot && this.plot.unit === unit) this.plot.setData(this.data);
    else this.draw();
    this.read(this.plot?.cursor.idx);
    this.drawTable();
  }

  drawTable() {
    if (!this.details.open || !this.columns) return;
    const rows = this.points.map((point) => point[2]).filter(Boolean).reverse();
    update(this.rows, table(this.title, this.columns, rows));
  }

  draw() {
    this.plot?.destroy();
    this.plot = null;
    if (!this.data || this.canvas.clientWidth === 0) return;
    const [accent, soft, line] = [color('--accent'), color('--soft'), color('--line')];
    const axis = { stroke: soft, font: '12px system-ui, sans-serif', ticks: { show: false } };
    this.plot = new window.uPlot({
      width: this.canvas.clientWidth,
      height: this.height,
      padding: [8, 8, 0, 0],
      tzDate: (seconds) => window.uPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC'),
      legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
      scales: {
        x: { range: (_, min, max) => this.span(min, max) },
        y: { range: (_, min, max) => [Math.min(min, 0), max > 0 ? max * 1.08 : 1] },
      },
      axes: [
        { ...axis, grid: { show: false }, space: 64, size: 30, values: (_, ticks) => ticks.map((seconds) => axisText(seconds * 1000, this.unit)) },
        { ...axis, grid: { stroke: line, width: 1 }, size: 52, values: (_, ticks) => ticks.map(compact), incrs: WHOLE },
      ],
      series: [{}, {
        stroke: accent, fill: accent, width: 0, points: { show: false },
        paths: window.uPlot.paths.bars({ size: [0.72, 36], radius: 0.12 }),
      }],
      hooks: { setCursor: [(plot) => this.read(plot.cursor.idx)] },
    }, this.data, this.canvas);
    this.plot.unit = this.unit;
  }

  // Half a period of room at both ends, so that the outer bars are whole.
  span(min, max) {
    const x = this.data[0];
    const step = x.length > 1 ? (x[x.length - 1] - x[0]) / (x.length - 1) : 86400;
    return [min - step * 0.6, max + step * 0.6];
  }

  read(index) {
    if (index === null || index === undefined || !this.points[index]) this.readout.textContent = this.summary;
    else this.readout.textContent = `${this.label(this.points[index][0])}: ${count(this.points[index][1])}`;
  }

  resize() {
    if (!this.plot) this.draw();
    else this.plot.setSize({ width: this.canvas.clientWidth, height: this.height });
  }

  leave() {
    this.observer.disconnect();
    dark.removeEventListener('change', this.onScheme);
    this.plot?.destroy();
  }
}
