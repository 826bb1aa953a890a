// Numbers, shares, days and times as text. Days and periods are UTC everywhere.

const whole = new Intl.NumberFormat('en');
const tenth = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const day = new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', day: 'numeric', month: 'short', year: 'numeric' });
const weekday = new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' });
const month = new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', month: 'long', year: 'numeric' });
const hour = new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' });
const second = new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit' });
const clock = new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', hour: '2-digit', minute: '2-digit', second: '2-digit' });
const dayOnly = new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', day: 'numeric', month: 'short' });
const monthOnly = new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', month: 'short', year: 'numeric' });
const minute = new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', hour: '2-digit', minute: '2-digit' });
const NONE = '–';

export const METRICS = [
  { name: 'sent', title: 'Sent', rate: null, of: null },
  { name: 'opened', title: 'Opened', rate: 'open_rate', of: 'of sent' },
  { name: 'clicked', title: 'Clicked', rate: 'click_rate', of: 'of sent' },
  { name: 'replied', title: 'Replied', rate: 'reply_rate', of: 'of sent' },
  { name: 'positive_replies', title: 'Positive', rate: 'positive_rate', of: 'of replies' },
  { name: 'bounced', title: 'Bounced', rate: 'bounce_rate', of: 'of sent' },
];

export const metricNamed = (name) => METRICS.find((metric) => metric.name === name) || METRICS[0];
export const count = (value) => (value === null || value === undefined ? NONE : whole.format(value));
export const compact = (value) => short.format(value);
export const decimal = (value) => (value >= 100 ? whole.format(Math.round(value)) : tenth.format(value));
export const percent = (share) => (share === null || share === undefined ? NONE : `${tenth.format(share * 100)} %`);
export const dayText = (value) => (value ? day.format(new Date(value)) : NONE);
export const timeText = (value) => (value ? second.format(new Date(value)) : NONE);
export const clockText = (value) => clock.format(new Date(value));

export function periodText(start, by) {
  const at = new Date(start);
  if (by === 'hour') return hour.format(at);
  if (by === 'week') return `week of ${day.format(at)}`;
  if (by === 'month') return month.format(at);
  return weekday.format(at);
}

// Under the bars: as short as it can be told apart.
export function axisText(at, unit) {
  if (unit === 'month') return monthOnly.format(at);
  const isMidnight = at % 86400000 === 0;
  return unit === 'day' || unit === 'week' || (unit === 'hour' && isMidnight) ? dayOnly.format(at) : minute.format(at);
}

// How much more or less than before, as a share; null where nothing was there before.
export function change(now, before) {
  return before > 0 ? (now - before) / before : null;
}

// The same as text; beyond tenfold a factor says more than a percentage.
export function changeText(share) {
  if (share === null) return '';
  if (share >= 9) return `× ${whole.format(Math.round(share + 1))}`;
  return `${share < 0 ? '−' : '+'}${whole.format(Math.round(Math.abs(share) * 100))} %`;
}

export function bytes(value) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let size = value;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) { size /= 1024; unit += 1; }
  return `${unit === 0 ? size : tenth.format(size)} ${units[unit]}`;
}

export function ago(value, now) {
  if (!value) return 'never';
  const seconds = Math.max((new Date(now) - new Date(value)) / 1000, 0);
  if (seconds < 90) return `${Math.round(seconds)} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86400)} days ago`;
}
