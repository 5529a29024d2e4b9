// The keyboard: single letters for rows, pages and deeds, and the dialog that lists them. What a letter does is written in the
// page (data-key of one letter, data-go, data-open, data-undo); here is only how it is found. Not here: keys within the palette or a chart.
import { open as openPalette } from './palette.js';
import { clear } from './select.js';

const GO = 1_500; // ms for the letter after G
const TYPED = 'textarea, select, [contenteditable], input:not([type="checkbox"], [type="radio"], [type="range"], [type="button"], [type="submit"])';
const ACTIVE = 'a, button, summary, input, select, textarea';

const dialog = document.getElementById('keys');
const single = document.getElementById('single-keys');

let going = 0; // until when a letter names a page
let row = ''; // the name of the row under the keyboard

const seen = (element) => element.checkVisibility() && !element.disabled && element.getAttribute('aria-disabled') !== 'true';
const first = (selector, part = document) => [...part.querySelectorAll(selector)].find(seen);
const nameOf = (element) => element.id || element.dataset.key || element.dataset.row;
const focused = () => document.querySelector('[data-row].is-focus');

function focus(next) {
  focused()?.classList.remove('is-focus');
  row = next ? nameOf(next) : '';
  next?.classList.add('is-focus');
}

function step(by) {
  const rows = [...document.querySelectorAll('[data-row]')].filter(seen);
  if (rows.length === 0) return;
  let at = rows.indexOf(focused());
  if (at < 0) {
    // From the one that is open beside the list, else from the first in sight.
    const current = rows.findIndex((r) => r.matches('[aria-current]') || r.querySelector('[aria-current]'));
    const visible = rows.findIndex((r) => r.getBoundingClientRect().top >= 0);
    at = current >= 0 ? current : Math.max(visible, 0) - by;
  }
  const next = rows[Math.min(Math.max(at + by, 0), rows.length - 1)];
  focus(next);
  next.scrollIntoView({ block: 'nearest' });
}

function tick(shiftKey) {
  const box = focused()?.querySelector('[data-check]');
  box?.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true, shiftKey }));
  return Boolean(box);
}

function openRow() {
  const at = focused();
  const link = at?.matches('a') ? at : at?.querySelector('a[data-open]');
  link?.click();
  return Boolean(link);
}

// A thing that is opened takes the focus to its first field.
function act(element) {
  if (element.matches('input, select, textarea') && !element.matches('[type="checkbox"], [type="radio"]')) element.focus();
  else element.click();
  const inside = element.localName === 'summary' && element.parentElement;
  if (inside?.open) first('input:not([type="hidden"]), select, textarea, button', inside)?.focus();
}

// The ticked rows come first, then the row under the keyboard, then the page.
function deed(letter) {
  const wanted = `:is(${ACTIVE})[data-key="${letter}" i]`;
  const element = first(`.bulk ${wanted}`) ?? (focused() && first(wanted, focused())) ?? [...document.querySelectorAll(wanted)].find((e) => seen(e) && !e.closest('[data-row]'));
  if (element) act(element);
  return Boolean(element);
}

// Out of whatever one is in, one thing at a time.
function leave(target) {
  const opened = [...document.querySelectorAll('details[open]:is(.menu, .confirm, .help)')].at(-1);
  if (opened) {
    opened.open = false;
    opened.querySelector('summary').focus();
  } else if (target.matches(TYPED)) {
    target.blur();
  } else if (![...document.querySelectorAll('[data-select]')].some(clear)) {
    focus(null);
  }
}

const label = (element) => element.title || element.getAttribute('aria-label') || [...element.childNodes].filter((n) => n.nodeName !== 'KBD' && !n.classList?.contains('count')).map((n) => n.textContent).join(' ').trim();

// What this page has, beside what every page has.
function list() {
  const place = dialog.querySelector('[data-keys-here]');
  if (!place) return;
  const found = new Map();
  const keep = (letters, element) => found.has(letters) || found.set(letters, label(element));
  for (const element of document.querySelectorAll(`:is(${ACTIVE})[data-key]:not([data-row])`)) {
    if (element.dataset.key.length === 1 && (seen(element) || element.closest('.bulk'))) keep(element.dataset.key, element);
  }
  for (const link of document.querySelectorAll('a[data-go]')) keep(`G ${link.dataset.go}`, link);
  place.replaceChildren(
    ...[...found].flatMap(([letters, words]) => {
      const [key, what] = [document.createElement('dt'), document.createElement('dd')];
      for (const letter of letters.toUpperCase().split(' ')) {
        const cap = document.createElement('kbd');
        cap.textContent = letter;
        key.append(cap, ' ');
      }
      what.textContent = words;
      return [key, what];
    }),
  );
}

function showKeys() {
  if (!dialog) return false;
  list();
  dialog.showModal();
  // The first thing that can take the focus stands at the end.
  dialog.querySelector('.btn')?.focus({ preventScroll: true });
  dialog.scrollTop = 0;
  return true;
}

function click(element) {
  element?.click();
  return Boolean(element);
}

function find() {
  const field = first('[data-filter]');
  field?.focus();
  field?.select?.();
  return Boolean(field);
}

// The Latin letter of the key, whatever alphabet the keyboard writes.
const letterOf = (press) => (/^[a-z]$/i.test(press.key) || !press.code.startsWith('Key') ? press.key : press.code.slice(3)).toLowerCase();

// Does a single key. Was there anything to do?
function singleKey(press) {
  const letter = letterOf(press);
  if (letter.length > 1) return letter === 'enter' && !press.target.closest(ACTIVE) && openRow();
  if (going > Date.now()) {
    going = 0;
    return click(document.querySelector(`a[data-go="${CSS.escape(letter)}" i]`));
  }
  if (letter === '?') return showKeys();
  if (letter === '/') return find();
  if (letter === 'x') return tick(press.shiftKey);
  if (press.shiftKey) return false;
  switch (letter) {
    case 'g':
      going = Date.now() + GO;
      return true;
    case 'j':
      step(1);
      return true;
    case 'k':
      step(-1);
      return true;
    case 'z':
      return click(first('[data-undo]'));
    case 'p':
      return deed(letter) || click(first('[data-pause]'));
    default:
      return /^[a-z0-9]$/.test(letter) && deed(letter);
  }
}

document.addEventListener('keydown', (press) => {
  if (press.defaultPrevented || press.isComposing) return;
  if ((press.ctrlKey || press.metaKey) && !press.shiftKey && !press.altKey && letterOf(press) === 'k') {
    press.preventDefault();
    openPalette();
    return;
  }
  if (press.ctrlKey || press.metaKey || press.altKey || document.querySelector('dialog[open]')) return;
  if (press.key === 'Escape') leave(press.target);
  else if ((single?.checked ?? true) && !press.target.closest(TYPED) && singleKey(press)) press.preventDefault();
});

document.addEventListener('click', ({ target }) => {
  if (target.closest('[data-keys]')) showKeys();
  // A menu closes when one goes elsewhere.
  for (const menu of document.querySelectorAll('details[open]:is(.menu, .help)')) if (!menu.contains(target)) menu.open = false;
});

// The server knows nothing of the row under the keyboard.
document.addEventListener('morphed', () => {
  if (row) focus([...document.querySelectorAll('[data-row]')].find((r) => nameOf(r) === row) ?? null);
});

// Single keys get in the way of speech input, so that a reader can turn them off.
try {
  if (single) {
    single.checked = localStorage.getItem('single-keys') !== 'off';
    single.addEventListener('change', () => localStorage.setItem('single-keys', single.checked ? 'on' : 'off'));
  }
} catch {
  // Without storage the choice lasts until the page is left.
}
