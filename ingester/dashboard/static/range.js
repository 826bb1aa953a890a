// The range picker: ranges up to today, any two days, and the length of a period.

import { h } from './dom.js';
import { changed, hoursAllowed } from './address.js';

const RANGES = [['today', 'Today'], ['7', '7 days'], ['30', '30 days'], ['90', '90 days'], ['365', '12 months'], ['all', 'All']];
const PERIODS = [['hour', 'Hour'], ['day', 'Day'], ['week', 'Week'], ['month', 'Month']];
const FRESH = { before: null, why: null, after: null }; // pages of another range say nothing

export function rangePicker(state, go) {
  const day = (name, title, value) => h('label', {}, h('span', {}, title),
    h('input', { type: 'date', name, value: value || '', min: '1970-01-01', max: '9999-12-30', required: true }));
  const form = h('form', { class: 'days' }, day('from', 'From', state.from), day('to', 'to', state.to),
    h('button', { class: 'quiet' }, 'Show'));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const [from, to] = [form.elements.from.value, form.elements.to.value].sort();
    if (from && to) go(changed({ ...FRESH, range: null, from, to, by: null }));
  });
  return h('section', { class: 'range', 'aria-label': 'Range' },
    h('div', { class: 'choices', role: 'group', 'aria-label': 'Days' }, RANGES.map(([value, title]) => h('a', {
      href: changed({ ...FRESH, range: value, from: null, to: null, by: null }),
      'aria-current': state.range === value ? 'true' : null,
    }, title))),
    form,
    h('div', { class: 'choices', role: 'group', 'aria-label': 'Period' }, PERIODS.map(([value, title]) => {
      const allowed = value !== 'hour' || hoursAllowed(state);
      return h('a', {
        href: allowed ? changed({ by: value }) : null,
        'aria-current': state.by === value ? 'true' : null,
        'aria-disabled': allowed ? null : 'true',
        role: allowed ? null : 'link',
        title: allowed ? null : 'Hours are counted over at most 31 days',
      }, title);
    })));
}
