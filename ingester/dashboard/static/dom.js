// Elements out of text: whatever comes from the API becomes a text node, never markup.

export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

export function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
}

// Puts a new text in place; marks the element for a moment where it was another one before.
export function write(element, text) {
  const before = element.textContent;
  if (before === text) return;
  element.textContent = text;
  if (before === '') return;
  element.classList.remove('changed');
  void element.offsetWidth; // the animation begins anew
  element.classList.add('changed');
}

// columns: [{title, cell: (row) => text or element, number: true where it is one, head: true}]
export function table(caption, columns, rows, empty = 'Nothing here yet.') {
  if (rows.length === 0) return h('p', { class: 'soft' }, empty);
  const cell = (column, row) => h(
    column.head ? 'th' : 'td',
    { class: column.number ? 'number' : column.class, scope: column.head ? 'row' : null },
    column.cell(row),
  );
  return h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption },
    h('table', {},
      h('caption', { class: 'hidden' }, caption),
      h('thead', {}, h('tr', {}, columns.map((column) => h(
        'th', { scope: 'col', class: column.number ? 'number' : column.class }, column.title)))),
      h('tbody', {}, rows.map((row) => h('tr', {}, columns.map((column) => cell(column, row)))))));
}

// A bar whose length is a share; the numbers stand beside it as text.
export function bar(share, kind = '') {
  const inner = h('span', { class: `bar-inner ${kind}` });
  inner.style.width = `${Math.min(Math.max(share || 0, 0), 1) * 100}%`;
  return h('span', { class: 'bar-outer', 'aria-hidden': 'true' }, inner);
}

export function announce(text) {
  document.getElementById('announce').textContent = text;
}
