// Keeps the page as the server sees it: an event says that something changed, and the changed parts are fetched, made by the
// same code as the page itself. Not here: how an event or a figure reads; the server words them.
import { morph } from './morph.js';

const GAP = 500; // between two fetches at least, in ms
const IDLE = 5000; // without events, for ages and the running minute
const AGAIN = 1000; // after a failure, or while the server still counts
const FLOOD = 300; // events between two fetches; beyond, the stream is left and taken up again after the next fetch

const root = document.getElementById('live');
const status = document.getElementById('status');
const word = document.getElementById('state');
const time = document.getElementById('updated');
const alarm = document.getElementById('alarm');
const since = document.getElementById('since');

let paused = false;
let stream = null;
let open = false;
let heard = 0;
let last = -GAP;
let timer = 0;
let busy = false;
let again = false;
let lostAt = 0;

function tell() {
  const lost = !paused && lostAt > 0;
  status.dataset.state = paused ? 'paused' : lost ? 'lost' : 'live';
  word.textContent = paused ? 'Paused, as of' : lost ? 'Reconnecting, as of' : 'Live, updated';
  time.textContent = root.dataset.updated;
  for (const button of document.querySelectorAll('[data-pause]')) {
    button.hidden = false;
    button.setAttribute('aria-pressed', String(paused));
    button.querySelector('[data-word]').textContent = paused ? 'Resume' : 'Pause';
    button.querySelector('use').setAttribute('href', paused ? '#i-play' : '#i-pause');
  }
  // Said aloud only when it lasts.
  const long = lost && Date.now() - lostAt > 4000;
  if (long && alarm.hidden) since.textContent = root.dataset.updated;
  alarm.hidden = !long;
}

function lose() {
  if (lostAt === 0) lostAt = Date.now();
  tell();
}

function soon(wait = 0) {
  if (busy) {
    again = true;
    return;
  }
  if (paused || document.hidden) return;
  clearTimeout(timer);
  timer = setTimeout(refresh, Math.max(wait, last + GAP - performance.now(), 0));
}

async function refresh() {
  busy = true;
  again = false;
  heard = 0;
  last = performance.now();
  let wait = IDLE;
  try {
    const answer = await fetch('/live', { cache: 'no-store', redirect: 'error', signal: AbortSignal.timeout(10000) });
    if (answer.status === 401) {
      location.assign('/sign-in');
      return;
    }
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const text = await answer.text();
    if (!paused) {
      const then = new DOMParser().parseFromString(text, 'text/html').getElementById('live');
      morph(root, then);
      lostAt = 0;
      if (root.hasAttribute('data-counting')) wait = AGAIN;
      listen();
    }
  } catch {
    wait = AGAIN;
    lose();
  } finally {
    busy = false;
  }
  tell();
  soon(again ? 0 : wait);
}

function leave() {
  stream?.close();
  stream = null;
  open = false;
}

function event() {
  heard += 1;
  if (heard > FLOOD) leave();
  if (heard === 1) soon();
}

// The browser opens a lost stream again by itself, after the last event that it got; it gives up only when it is refused.
function listen() {
  if (stream || paused || document.hidden) return;
  stream = new EventSource(`/api/v1/events/stream?after=${root.dataset.seq}`);
  stream.onopen = () => {
    open = true;
    soon();
  };
  stream.onerror = () => {
    // A server that restarts takes the stream with it: ask it for the page's parts until it answers.
    if (stream?.readyState === EventSource.CLOSED) leave();
    if (open) soon();
    open = false;
  };
  for (const kind of root.dataset.kinds.split(' ')) stream.addEventListener(kind, event);
}

function pause(on) {
  paused = on;
  if (on) leave();
  else soon();
  tell();
}

// Single keys, which a reader can turn off (they get in the way of speech input).
const keys = document.getElementById('keys');
const single = document.getElementById('single-keys');
try {
  single.checked = localStorage.getItem('single-keys') !== 'off';
  single.addEventListener('change', () => localStorage.setItem('single-keys', single.checked ? 'on' : 'off'));
} catch {
  // Without storage the choice lasts until the page is left.
}

document.addEventListener('keydown', (press) => {
  if (!single.checked || press.ctrlKey || press.metaKey || press.altKey || press.isComposing) return;
  if (press.target.closest('input, textarea, select, [contenteditable]')) return;
  if (press.key === '?' && !keys.open) keys.showModal();
  else if (press.key.toLowerCase() === 'p' && !keys.open) pause(!paused);
  else return;
  press.preventDefault();
});

document.addEventListener('click', (click) => {
  if (click.target.closest('[data-pause]')) pause(!paused);
});
for (const button of document.querySelectorAll('[data-keys]')) {
  button.hidden = false;
  button.addEventListener('click', () => keys.showModal());
}

document.addEventListener('visibilitychange', () => {
  if (document.hidden) {
    clearTimeout(timer);
    leave();
  } else {
    soon();
  }
});

tell();
listen();
soon(IDLE);
