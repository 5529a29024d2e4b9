// Makes one element like another by changing only what differs, so that focus, scroll positions and selected text stay.
// Children with data-key are matched by it, the others by their place. Not here: when to do so, or where the other is from.

// What the reader changes by hand and the server knows nothing of.
const OWN = new Set(['open']);

function attributes(now, then) {
  for (const { name, value } of then.attributes) {
    if (now.getAttribute(name) !== value && !OWN.has(name)) now.setAttribute(name, value);
  }
  for (const { name } of [...now.attributes]) {
    if (!then.hasAttribute(name) && !OWN.has(name)) now.removeAttribute(name);
  }
}

const key = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.getAttribute('data-key') : null);

const alike = (now, then) => now.nodeType === then.nodeType && now.nodeName === then.nodeName && key(now) === key(then);

// Does somebody select text in here?
function selected(element) {
  const selection = document.getSelection();
  return selection !== null && !selection.isCollapsed && selection.containsNode(element, true);
}

export function morph(now, then) {
  if (now.nodeType !== Node.ELEMENT_NODE) {
    if (now.data !== then.data) now.data = then.data;
    return;
  }
  // The script's own; and a part with selected text waits until the selection is gone.
  if (now.hasAttribute('data-keep') || (now.hasAttribute('data-part') && selected(now))) return;
  attributes(now, then);
  const wanted = new Set([...then.childNodes].map(key).filter((k) => k !== null));
  const known = new Map();
  for (const child of [...now.childNodes]) {
    const k = key(child);
    if (k === null) continue;
    if (wanted.has(k)) known.set(k, child);
    else child.remove();
  }
  let place = now.firstChild;
  for (const child of [...then.childNodes]) {
    const k = key(child);
    const match = k === null ? place : known.get(k);
    if (match && alike(match, child)) {
      if (match === place) place = place.nextSibling;
      else now.insertBefore(match, place);
      morph(match, child);
    } else {
      now.insertBefore(document.importNode(child, true), place);
    }
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}
