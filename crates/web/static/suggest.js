// What could stand in a field, while somebody types there: `data-suggest` says of what kind, `data-many` that several stand in it with
// commas between. Not here: what is found, and how it reads; the server answers with options. What is typed counts, chosen or not.
const WAIT = 80; // ms after the last key

const list = document.createElement('ul');
list.id = 'suggestions';
list.className = 'suggestions';
list.setAttribute('role', 'listbox');
list.setAttribute('popover', 'manual');

let field = null; // whose suggestions are shown
let timer = 0;
let running = null;

const options = () => [...list.children];
const chosen = () => list.querySelector('[aria-selected="true"]');

// The part of the text that is being typed, and what stands before it.
function parted(input) {
  const at = 'many' in input.dataset ? input.value.lastIndexOf(',') + 1 : 0;
  return [input.value.slice(0, at), input.value.slice(at).trim()];
}

function close() {
  running?.abort();
  clearTimeout(timer);
  if (!field) return;
  list.hidePopover();
  field.setAttribute('aria-expanded', 'false');
  field.removeAttribute('aria-activedescendant');
  field = null;
}

function activate(option) {
  chosen()?.removeAttribute('aria-selected');
  option?.setAttribute('aria-selected', 'true');
  option?.scrollIntoView({ block: 'nearest' });
  if (option) field.setAttribute('aria-activedescendant', option.id);
  else field.removeAttribute('aria-activedescendant');
}

function show(input, nodes) {
  if (nodes.length === 0 || document.activeElement !== input) return close();
  list.replaceChildren(...nodes);
  nodes.forEach((option, n) => (option.id = `suggestion-${n}`));
  if (!list.isConnected) document.body.append(list);
  field = input;
  list.setAttribute('aria-label', input.getAttribute('aria-label') ?? input.labels?.[0]?.textContent ?? '');
  input.setAttribute('aria-expanded', 'true');
  const box = input.getBoundingClientRect();
  list.style.minWidth = `${box.width}px`;
  if (!list.matches(':popover-open')) list.showPopover();
  // Above the field where there is no room below it.
  const below = box.bottom + 4;
  const fits = below + list.offsetHeight <= innerHeight || box.top < list.offsetHeight;
  list.style.top = `${fits ? below : box.top - 4 - list.offsetHeight}px`;
  list.style.left = `${Math.max(8, Math.min(box.left, innerWidth - list.offsetWidth - 8))}px`;
}

async function find(input) {
  running?.abort();
  const mine = (running = new AbortController());
  const [, words] = parted(input);
  try {
    const answer = await fetch(`/suggest/${input.dataset.suggest}?q=${encodeURIComponent(words)}`, { headers: { accept: 'text/html', 'x-part': 'suggest' }, redirect: 'error', signal: mine.signal });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    if (!mine.signal.aborted) show(input, [...page.body.children]);
  } catch {
    // Typed on, or no answer: the field takes what is typed.
    if (!mine.signal.aborted) close();
  }
}

function take(option) {
  const input = field;
  const [before] = parted(input);
  input.value = `${before}${before && ' '}${option.dataset.value}`;
  close();
  input.focus();
  input.dispatchEvent(new InputEvent('input', { bubbles: true, inputType: 'insertReplacementText' }));
}

document.addEventListener('focusin', ({ target }) => {
  if (!target.matches?.('input[data-suggest]')) return;
  for (const [name, value] of Object.entries({ role: 'combobox', 'aria-autocomplete': 'list', 'aria-controls': list.id, 'aria-expanded': 'false' })) target.setAttribute(name, value);
});

document.addEventListener('input', (event) => {
  const input = event.target;
  if (!input.matches?.('input[data-suggest]') || event.inputType === 'insertReplacementText') return;
  clearTimeout(timer);
  timer = setTimeout(find, WAIT, input);
});

// Before others hear of the key: what is open takes it.
document.addEventListener(
  'keydown',
  (press) => {
    const input = press.target;
    if (press.isComposing || !input.matches?.('input[data-suggest]')) return;
    if (field !== input) {
      if (press.key === 'ArrowDown' && !press.altKey) find(input);
      return;
    }
    const all = options();
    const now = all.indexOf(chosen());
    if (press.key === 'ArrowDown') activate(all[(now + 1) % all.length]);
    else if (press.key === 'ArrowUp') activate(all[(now <= 0 ? all.length : now) - 1]);
    else if ((press.key === 'Enter' || press.key === 'Tab') && now >= 0) take(all[now]);
    else if (press.key === 'Escape') close();
    else {
      if (press.key === 'Enter' || press.key === 'Tab') close();
      return;
    }
    if (press.key === 'Tab') return;
    press.preventDefault();
    press.stopPropagation();
  },
  true,
);

document.addEventListener('focusout', ({ target }) => {
  if (target === field) close();
});
// The field keeps the focus.
list.addEventListener('pointerdown', (press) => press.preventDefault());
list.addEventListener('click', ({ target }) => {
  const option = target.closest('[role="option"]');
  if (option && field) take(option);
});
addEventListener('scroll', ({ target }) => target !== list && close(), true);
addEventListener('resize', close);
