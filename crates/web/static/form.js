// Forms in the hands of a reader: what is unsaved, nothing sent twice, a look ahead while typing, filters that apply themselves,
// and copying. Not here: any rule about what may be typed; the server has them all, and each form works without this.
import { load } from './live.js';
import { children, touched } from './morph.js';
import { say } from './say.js';

const SOON = 150; // ms after the last key, before the server is asked
const SENT = 8_000; // after which a form may be sent again: the answer was a file, or never came
const SECRET = new Set(['csrf', 'password']);

const isGet = (form) => (form.getAttribute('method') ?? 'get').toLowerCase() === 'get';

// Each thing waits for its own last change.
const timers = new Map();
function later(thing, act) {
  clearTimeout(timers.get(thing));
  timers.set(thing, setTimeout(() => {
    timers.delete(thing);
    act();
  }, SOON));
}

// A form with unsaved input is left as it is by whatever the server tells meanwhile. Not one that only looks things up or ticks rows.
function mark(form) {
  const fields = [...form.elements];
  if (isGet(form) || fields.some((field) => field.matches('[data-check]'))) return;
  form.toggleAttribute('data-dirty', fields.some(touched));
}

const looks = new WeakMap(); // the running request of each look ahead

async function lookAhead(part) {
  const form = part.closest('form');
  const target = document.getElementById(part.dataset.previewTarget);
  if (!form || !target) return;
  looks.get(part)?.abort();
  const stop = new AbortController();
  looks.set(part, stop);
  const fields = [...new FormData(form)].filter(([name, value]) => typeof value === 'string' && !SECRET.has(name));
  target.setAttribute('aria-busy', 'true');
  try {
    const answer = await fetch(`${part.dataset.preview}?${new URLSearchParams(fields)}`, { headers: { accept: 'text/html' }, redirect: 'error', signal: stop.signal });
    if (!answer.ok && answer.status !== 422) throw new Error(`status ${answer.status}`);
    children(target, new DOMParser().parseFromString(await answer.text(), 'text/html').body);
  } catch {
    // Typed on, or no answer: what stands there is of before, and sending tells all that matters.
    if (stop.signal.aborted) return;
  }
  target.removeAttribute('aria-busy');
}

// The list follows the filter as it is typed, under an address that can be kept.
function filter(form) {
  const fields = [...new FormData(form)].filter(([, value]) => value !== '');
  const query = new URLSearchParams(fields).toString();
  history.replaceState(history.state, '', `${new URL(form.getAttribute('action') ?? '', location.href).pathname}${query && `?${query}`}`);
  load();
}

async function copy(button) {
  const from = document.getElementById(button.dataset.copyFrom);
  const text = button.dataset.copy || (from?.value ?? from?.textContent ?? '').trim();
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Over plain HTTP there is no clipboard; the old way needs text that is selected.
    const field = document.createElement('textarea');
    field.value = text;
    field.className = 'vh';
    button.after(field);
    field.select();
    const done = document.execCommand('copy');
    field.remove();
    button.focus();
    if (!done) return;
  }
  button.toggleAttribute('data-copied', true);
  say(button.querySelector('.done')?.textContent ?? button.dataset.done ?? '');
  setTimeout(() => button.removeAttribute('data-copied'), 1_500);
}

document.addEventListener('input', ({ target }) => {
  const form = target.form;
  if (!form) return;
  mark(form);
  const part = target.closest('[data-preview]');
  if (part) later(part, () => lookAhead(part));
  if (target.matches('input[data-auto]:not([type="checkbox"], [type="radio"])') && isGet(form)) later(form, () => filter(form));
});

document.addEventListener('change', ({ target }) => {
  if (target.form && target.matches('select[data-auto], [data-auto]:is([type="checkbox"], [type="radio"])')) target.form.requestSubmit();
});

document.addEventListener('reset', ({ target }) => {
  // The fields are put back after the event.
  setTimeout(() => {
    mark(target);
    for (const part of [target, ...target.querySelectorAll('[data-preview]')]) if (part.matches('[data-preview]')) lookAhead(part);
  });
});

// Addresses of searches stay short.
document.addEventListener('formdata', (event) => {
  if (!isGet(event.target)) return;
  for (const [name, value] of [...event.formData]) if (value === '') event.formData.delete(name);
});

function release(form) {
  form.removeAttribute('data-sent');
  for (const button of form.elements) if (button.type === 'submit') button.removeAttribute('aria-busy');
}

document.addEventListener('submit', (event) => {
  const form = event.target;
  if (event.defaultPrevented || isGet(form) || form.getAttribute('method') === 'dialog') return;
  if (form.hasAttribute('data-sent')) {
    event.preventDefault();
    return;
  }
  form.toggleAttribute('data-sent', true);
  event.submitter?.setAttribute('aria-busy', 'true');
  setTimeout(release, SENT, form);
});

addEventListener('pageshow', () => {
  for (const form of document.querySelectorAll('form[data-sent]')) release(form);
});

document.addEventListener('keydown', (press) => {
  if (press.key !== 'Enter' || !(press.ctrlKey || press.metaKey)) return;
  const form = press.target.form;
  if (!form || press.target.localName === 'button') return;
  press.preventDefault();
  const first = [...form.elements].find((e) => e.type === 'submit' && !e.disabled);
  form.requestSubmit(first);
});

document.addEventListener('click', ({ target }) => {
  const button = target.closest('[data-copy], [data-copy-from]');
  if (button) copy(button);
});

addEventListener('beforeunload', (event) => {
  if (document.querySelector('form[data-guard][data-dirty]:not([data-sent])')) event.preventDefault();
});
