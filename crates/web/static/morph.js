// Makes one element like another by changing only what differs, so that focus, scroll positions, selected text and typed input
// stay. Children are matched by id, data-key or name, the others by their kind in order. Not here: when to do so, or where the
// other is from.

// What the reader changes by hand and the server knows nothing of.
const OWN = new Set(['open']);
const HELD = new Set(['open', 'value', 'checked']);
const FIELDS = new Set(['input', 'select', 'textarea']);

// Has the reader changed this field since the server wrote it?
export function touched(field) {
  if (field.localName === 'select') {
    const options = [...field.options];
    if (field.multiple) return options.some((o) => o.selected !== o.defaultSelected);
    return field.selectedIndex !== Math.max(options.findLastIndex((o) => o.defaultSelected), options.length > 0 ? 0 : -1);
  }
  switch (field.type) {
    case 'checkbox':
    case 'radio':
      return field.checked !== field.defaultChecked;
    case 'file':
      return field.files.length > 0;
    case 'range':
      return field.hasAttribute('value') && field.value !== field.defaultValue;
    default:
      return 'defaultValue' in field && field.value !== field.defaultValue;
  }
}

function attributes(now, then, own) {
  for (const name of then.getAttributeNames()) {
    const value = then.getAttribute(name);
    if (now.getAttribute(name) !== value && !own.has(name)) now.setAttribute(name, value);
  }
  for (const name of now.getAttributeNames()) {
    if (!then.hasAttribute(name) && !own.has(name)) now.removeAttribute(name);
  }
}

// Siblings of one name are the same thing, then and now. The attributes, because a form's own properties are hidden by its fields.
function named(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return node.nodeName;
  const key = node.getAttribute('id') ?? node.getAttribute('data-key') ?? node.getAttribute('name');
  return key === null ? `${node.nodeName}.${node.classList[0] ?? ''}` : `${node.nodeName}#${key}`;
}

// Is text selected at all? Asked while a page changes, the browser would lay it out anew for each answer.
let selecting = false;
document.addEventListener('selectionchange', () => (selecting = document.getSelection()?.type === 'Range'));

// A part that waits: a script's own, a form that is being filled in or sent, a dialog that is open, a panel with selected text.
function waits(element) {
  if (element.matches('[data-keep], [data-dirty], [data-sent], dialog[open]')) return true;
  return selecting && element.matches('[data-part], .panel') && document.getSelection().containsNode(element, true);
}

// What the server dropped, but the reader is busy with.
function busy(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return false;
  const focused = document.activeElement;
  if (FIELDS.has(focused?.localName) && node.contains(focused)) return true;
  return node.matches('[data-dirty], dialog[open]') || node.querySelector('[data-dirty], dialog[open]') !== null;
}

// Moved as a whole where the browser can, because a node that is taken out loses its focus and its position.
function move(parent, child, place) {
  if (parent.moveBefore) parent.moveBefore(child, place);
  else parent.insertBefore(child, place);
}

function field(now, then) {
  const held = now === document.activeElement || touched(now);
  attributes(now, then, held ? HELD : OWN);
  if (held) return;
  if (now.localName !== 'input') children(now, then);
  if (now.type === 'checkbox' || now.type === 'radio') now.checked = then.checked;
  else if (now.localName === 'select') now.selectedIndex = then.selectedIndex;
  else if (now.type !== 'file' && now.value !== then.value) now.value = then.value;
}

// Makes the inner of one element like the inner of another, which is used up.
export function children(now, then) {
  const known = new Map();
  for (const child of now.childNodes) {
    const name = named(child);
    if (known.has(name)) known.get(name).push(child);
    else known.set(name, [child]);
  }
  const wanted = [...then.childNodes];
  const matches = wanted.map((child) => known.get(named(child))?.shift());
  const stay = new Set();
  for (const child of [...known.values()].flat()) {
    if (busy(child)) stay.add(child);
    else child.remove();
  }
  let place = now.firstChild;
  wanted.forEach((child, n) => {
    while (stay.has(place)) place = place.nextSibling;
    const match = matches[n];
    if (!match) {
      now.insertBefore(child, place);
      return;
    }
    if (match === place) place = place.nextSibling;
    else move(now, match, place);
    morph(match, child);
  });
}

// Makes one node like another of the same kind, which is used up.
export function morph(now, then) {
  if (now.nodeType !== Node.ELEMENT_NODE) {
    if (now.data !== then.data) now.data = then.data;
    return;
  }
  // Most of a page is as it was, and the browser sees that sooner than we do.
  if (now.isEqualNode(then) || waits(now)) return;
  if (FIELDS.has(now.localName)) {
    field(now, then);
    return;
  }
  attributes(now, then, OWN);
  children(now, then);
}
