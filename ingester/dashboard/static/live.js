// Told of refreshes by server-sent events; connects again by itself, and says how things are.

import { clockText } from './format.js';

const SILENCE_MS_MAX = 40000; // the server says something every 15 s
const [RETRY_MS, RETRY_MS_MAX] = [1000, 30000];

export class Live {
  // onRefresh: called after each refresh, and after each time the connection came back.
  constructor(onRefresh) {
    this.onRefresh = onRefresh;
    this.element = document.getElementById('live');
    this.text = document.getElementById('live-text');
    this.asOf = null;
    this.failures = 0;
    document.addEventListener('visibilitychange', () => this.connect());
    // A connection outlives its network, silently.
    window.addEventListener('offline', () => this.retry());
    window.addEventListener('online', () => this.connect());
    this.connect();
  }

  // Only while somebody looks: all the tabs of a browser share six connections to one server.
  connect() {
    this.source?.close();
    clearTimeout(this.timer);
    if (document.hidden) return;
    this.source = new EventSource('/api/live');
    this.source.addEventListener('refresh', () => { this.heard(); this.show('live'); this.onRefresh(); });
    this.source.addEventListener('lost', () => { this.heard(); this.show('lost'); });
    this.source.addEventListener('beat', () => this.heard());
    this.source.addEventListener('error', () => this.retry());
    this.expect();
  }

  heard() {
    this.failures = 0;
    this.expect();
  }

  // A connection may hang without an error, as after a change of networks.
  expect() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.retry(), SILENCE_MS_MAX);
  }

  // Later each time, and not all pages at once; the browser itself would not come back after a refusal.
  retry() {
    this.show('offline');
    this.source?.close();
    clearTimeout(this.timer);
    const pause = Math.min(RETRY_MS * 2 ** this.failures, RETRY_MS_MAX);
    this.failures += 1;
    this.timer = setTimeout(() => this.connect(), pause * (0.5 + Math.random() / 2));
  }

  // The answers say as of when they are complete.
  upTo(asOf) {
    this.asOf = asOf;
    this.show(this.element.dataset.state);
  }

  show(state) {
    this.element.dataset.state = state;
    const asOf = this.asOf ? ` · as of ${clockText(this.asOf)} UTC` : '';
    this.text.textContent = {
      waiting: 'Connecting',
      live: `Live${asOf}`,
      lost: `Database away${asOf}`,
      offline: `Reconnecting${asOf}`,
    }[state];
  }
}
