// Told of refreshes by server-sent events; connects again by itself, and says how things are.

import { clockText } from './format.js';

const RETRY_MS = 5000;

export class Live {
  // onRefresh: called after each refresh, and after each time the connection came back.
  constructor(onRefresh) {
    this.onRefresh = onRefresh;
    this.element = document.getElementById('live');
    this.text = document.getElementById('live-text');
    this.asOf = null;
    this.connect();
  }

  connect() {
    const source = new EventSource('/api/live');
    source.addEventListener('refresh', () => { this.show('live'); this.onRefresh(); });
    source.addEventListener('lost', () => this.show('lost'));
    source.addEventListener('error', () => {
      this.show('offline');
      // The browser tries again after a broken connection, but not after a refusal.
      if (source.readyState === EventSource.CLOSED) setTimeout(() => this.connect(), RETRY_MS);
    });
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
