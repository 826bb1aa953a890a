// Elements out of text: whatever comes from the API becomes a text node, never markup.

export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  fill(element, children);
  return element;
}

export function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
}

// Fills what has been filled before: whatever is still there keeps its element, and with it the focus,
// a selection, the place it was scrolled to, and a click under way.
export function update(element, ...children) {
  const focused = document.activeElement;
  patch(element, h('div', {}, children));
  // An element that moved has lost it.
  if (focused !== document.activeElement && element.contains(focused)) focused.focus({ preventScroll: true });
}

function patch(element, wanted) {
  const before = [...element.childNodes];
  const after = [...wanted.childNodes].map((node) => {
    const at = before.findIndex((old) => old.nodeName === node.nodeName && old.dataset?.key === node.dataset?.key);
    return at < 0 ? node : alike(before.splice(at, 1)[0], node);
  });
  for (const gone of before) gone.remove();
  after.forEach((node, at) => { if (element.childNodes[at] !== node) element.insertBefore(node, element.childNodes[at] || null); });
}

// The old node, now saying what the new one says.
function alike(old, node) {
  if (node.nodeType === Node.TEXT_NODE) {
    if (old.data !== node.data) old.data = node.data;
    return old;
  }
  for (const { name } of [...old.attributes]) if (!node.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of node.attributes) if (name !== 'style' && old.getAttribute(name) !== value) old.setAttribute(name, value);
  old.style.cssText = node.style.cssText; // set as an attribute it is inline, which the policy refuses
  patch(old, node);
  return old;
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
  const line = (row) => {
    const cells = columns.map((column) => h(
      column.head ? 'th' : 'td',
      { class: column.number ? 'number' : column.class, scope: column.head ? 'row' : null },
      column.cell(row),
    ));
    // A row is known again by its words; its numbers and times change.
    const words = cells.filter((_, at) => !columns[at].number && columns[at].class !== 'time');
    return h('tr', { 'data-key': words.map((cell) => cell.textContent).join(' ') }, cells);
  };
  return h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption },
    h('table', {},
      h('caption', { class: 'hidden' }, caption),
      h('thead', {}, h('tr', {}, columns.map((column) => h(
        'th', { scope: 'col', class: column.number ? 'number' : column.class }, column.title)))),
      h('tbody', {}, rows.map(line))));
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
