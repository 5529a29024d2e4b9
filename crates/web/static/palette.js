// The palette: finds any item, order, page or action while one types. Not here: what is found and how it reads; the server answers
// with options, and without scripts the search box leads to a page of results.
const WAIT = 60; // ms after the last key
const KEPT = 8; // options chosen lately

const dialog = document.getElementById('palette');
const input = dialog?.querySelector('input');
const list = dialog?.querySelector('[role="listbox"]');
const store = `palette:${dialog?.dataset.person ?? ''}`;

let timer = 0;
let running = null;

const options = () => [...list.querySelectorAll('[role="option"]')];

function activate(option) {
  for (const other of list.querySelectorAll('[aria-selected="true"]')) other.removeAttribute('aria-selected');
  if (option) {
    option.setAttribute('aria-selected', 'true');
    option.scrollIntoView({ block: 'nearest' });
    input.setAttribute('aria-activedescendant', option.id);
  } else {
    input.removeAttribute('aria-activedescendant');
  }
}

function show(nodes) {
  list.replaceChildren(...nodes);
  const found = options();
  found.forEach((option, n) => (option.id = `palette-${n}`));
  input.setAttribute('aria-expanded', String(found.length > 0));
  activate(found[0]);
}

function recent() {
  try {
    const kept = JSON.parse(localStorage.getItem(store) ?? '[]');
    return kept.filter((o) => o.href.startsWith('/') && !o.href.startsWith('//'));
  } catch {
    return [];
  }
}

function keep(option) {
  const entry = { href: option.getAttribute('href'), text: option.querySelector('span')?.textContent ?? '', meta: option.querySelector('.meta')?.textContent ?? '', icon: option.querySelector('use')?.getAttribute('href') ?? '' };
  try {
    localStorage.setItem(store, JSON.stringify([entry, ...recent().filter((o) => o.href !== entry.href)].slice(0, KEPT)));
  } catch {
    // Without storage nothing is kept.
  }
}

function element(name, attributes, ...inner) {
  const made = name === 'svg' || name === 'use' ? document.createElementNS('http://www.w3.org/2000/svg', name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...inner);
  return made;
}

// As the server writes options.
function lately() {
  const kept = recent();
  if (kept.length === 0) return [];
  const row = ({ href, text, meta, icon }) =>
    element('a', { class: 'opt', role: 'option', href }, element('svg', { class: 'i', 'aria-hidden': 'true' }, element('use', { href: icon })), element('span', {}, text), element('span', { class: 'meta' }, meta));
  const name = element('div', { class: 'group', id: 'palette-recent', role: 'presentation' }, list.dataset.recent ?? '');
  return [element('div', { role: 'group', 'aria-labelledby': name.id }, name, ...kept.map(row))];
}

async function find() {
  running?.abort();
  const mine = (running = new AbortController());
  const words = input.value.trim();
  try {
    const answer = await fetch(`/palette?q=${encodeURIComponent(words)}`, { headers: { accept: 'text/html' }, redirect: 'error', signal: mine.signal });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    if (mine.signal.aborted) return;
    show([...(words === '' ? lately() : []), ...page.body.childNodes]);
  } catch {
    // Typed on, or no answer: Enter then leads to the page of results, which tells why.
    if (!mine.signal.aborted) show(words === '' ? lately() : []);
  }
}

// Opens the palette with these words, or those of the last time.
export function open(words) {
  if (!dialog || dialog.open) return;
  if (words !== undefined) input.value = words;
  dialog.showModal();
  input.focus();
  if (words === undefined) input.select();
  else input.setSelectionRange(words.length, words.length);
  find();
}

function step(to) {
  const all = options();
  if (all.length === 0) return;
  const now = all.findIndex((o) => o.getAttribute('aria-selected') === 'true');
  activate(all[to === 'first' ? 0 : to === 'last' ? all.length - 1 : (now + to + all.length) % all.length]);
}

const STEPS = { ArrowDown: 1, ArrowUp: -1, Home: 'first', End: 'last' };

function keydown(press) {
  if (press.isComposing) return;
  if (press.key in STEPS && !press.shiftKey && !press.ctrlKey && !press.metaKey) {
    step(STEPS[press.key]);
  } else if (press.key === 'Enter') {
    const chosen = list.querySelector('[aria-selected="true"]');
    if (!chosen) return;
    // With Ctrl or Cmd in a tab of its own, as with any link.
    chosen.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true, ctrlKey: press.ctrlKey, metaKey: press.metaKey }));
  } else {
    return;
  }
  press.preventDefault();
}

if (dialog) {
  input.addEventListener('keydown', keydown);
  input.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(find, WAIT);
  });
  dialog.addEventListener('click', (click) => {
    const option = click.target.closest('[role="option"]');
    if (option) keep(option);
    // A click beside it, or on a link that stays on this page.
    if (click.target === dialog || option) dialog.close();
  });
  dialog.addEventListener('close', () => running?.abort());

  // The search box of the header becomes the palette as soon as somebody clicks or types there.
  const box = document.querySelector('form.search input');
  box?.addEventListener('click', () => open(box.value));
  box?.addEventListener('input', () => {
    open(box.value);
    box.value = '';
  });
  // On a shared machine the next person finds nothing of it.
  document.querySelector('form[action="/sign-out"]')?.addEventListener('submit', () => {
    try {
      localStorage.removeItem(store);
    } catch {
      // Nothing was kept.
    }
  });
}
