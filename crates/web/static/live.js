// Keeps the page as the server sees it: an event says that something changed, the page is asked for again, and what differs is
// put in place. Not here: how anything reads (the server words all of it), or how it is put in place (morph.js).
import { morph } from './morph.js';

const GAP = 150; // between two fetches at least, in ms; the server may ask for more
const IDLE = 60_000; // without events, for ages
const POLL = 5_000; // between two fetches while there is no stream
const REFUSED = 30_000; // before a stream that was refused is asked for again
const SHORT = 1_000; // a stream that ends sooner, twice in a row, counts as refused
const AGAIN = 1_000; // after a failure, longer with the next two
const ALARM = 4_000; // a loss is said aloud when it lasts

const main = document.getElementById('main');
const follows = main?.hasAttribute('data-topics') ?? false;

let stream = null;
let heard = ''; // the stream's topics
let openedAt = 0;
let refusedUntil = 0;
let hasty = false; // the last stream was short
let gap = GAP;
let newest = 0; // the number of the last event
let paused = false;
let busy = false;
let again = false; // a change came while the page was on its way
let asked = false; // by the reader, paused or not
let failures = 0;
let lostAt = 0;
let last = -GAP;
let timer = 0;

const shown = () => Number(main.dataset.seq);

function tell() {
  const status = document.getElementById('status');
  if (!follows || !status) return;
  const lost = !paused && lostAt > 0;
  status.dataset.state = paused ? 'paused' : lost ? 'lost' : 'live';
  for (const button of document.querySelectorAll('[data-pause]')) button.setAttribute('aria-pressed', String(paused));
  const alarm = document.getElementById('alarm');
  if (!alarm) return;
  const since = alarm.querySelector('[data-since]');
  if (since && alarm.hidden) since.textContent = status.querySelector('time')?.textContent ?? '';
  alarm.hidden = !lost || Date.now() - lostAt < ALARM;
}

function lose() {
  failures += 1;
  if (lostAt === 0) {
    lostAt = Date.now();
    setTimeout(tell, ALARM);
  }
}

function put(page) {
  for (const id of ['nav', 'main', 'status']) {
    const [now, then] = [document.getElementById(id), page.getElementById(id)];
    if (now && then) morph(now, then);
  }
  if (page.title) document.title = page.title;
  document.dispatchEvent(new Event('morphed'));
}

// Whoever is no longer signed in goes to the way in; not over what they have typed.
function signIn() {
  if (!document.querySelector('[data-dirty]')) location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
}

// The page as it is now, or nothing.
async function get(address, byReader) {
  try {
    const answer = await fetch(address, { headers: { accept: 'text/html', 'X-Part': 'main' }, cache: 'no-store', redirect: 'manual', signal: AbortSignal.timeout(10_000) });
    if (answer.status === 401 || answer.type === 'opaqueredirect') signIn();
    // A view that is refused says so on a page of its own.
    else if (!answer.ok && byReader) location.reload();
    if (!answer.ok) return null;
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    return page.getElementById('main') ? page : null;
  } catch {
    return null;
  }
}

async function ask() {
  const byReader = asked;
  const address = location.href;
  busy = true;
  again = asked = false;
  last = performance.now();
  const page = await get(address, byReader);
  busy = false;
  let wait;
  if (page) {
    failures = lostAt = 0;
    // The reader may have gone to another view meanwhile.
    if (address !== location.href) asked = true;
    else if (byReader || !paused) put(page);
    listen();
    if (newest <= shown()) again = false;
    wait = asked || again ? 0 : stream ? IDLE : POLL;
  } else {
    lose();
    asked ||= byReader;
    wait = Math.min(failures, 3) * AGAIN * (0.5 + Math.random());
  }
  tell();
  soon(wait);
}

function soon(wait = 0) {
  if (busy) {
    again ||= wait === 0;
    return;
  }
  if (!asked && (!follows || paused || document.hidden)) return;
  clearTimeout(timer);
  timer = setTimeout(ask, Math.max(wait, asked ? 0 : last + gap - performance.now()));
}

// Shows the view under the present address, because the reader asked for it.
export function load() {
  asked = true;
  soon();
}

function leave() {
  stream?.close();
  stream = null;
}

function changed(event) {
  try {
    const told = JSON.parse(event.data);
    newest = told.seq ?? Infinity;
    gap = told.gap ?? GAP;
  } catch {
    newest = Infinity;
  }
  if (!(newest <= shown())) soon();
}

function listen() {
  const { topics, seq = '0' } = main.dataset;
  if (stream && topics !== heard) leave();
  if (stream || !follows || paused || document.hidden || Date.now() < refusedUntil) return;
  heard = topics;
  openedAt = Date.now();
  stream = new EventSource(`/live?topics=${encodeURIComponent(topics)}&after=${encodeURIComponent(seq)}`);
  stream.addEventListener('changed', changed);
  // Whether the server is there at all is seen when the page is asked for.
  stream.onerror = () => {
    const short = Date.now() - openedAt < SHORT;
    if (stream.readyState === EventSource.CLOSED || (short && hasty)) refusedUntil = Date.now() + REFUSED;
    hasty = short;
    leave();
    soon();
  };
}

function pause(on) {
  paused = on;
  if (on) leave();
  else soon();
  tell();
}

// A page that nobody sees costs nothing.
function rest() {
  clearTimeout(timer);
  leave();
}

if (follows) {
  document.addEventListener('click', (click) => {
    if (click.target.closest('[data-pause]')) pause(!paused);
  });
  document.addEventListener('visibilitychange', () => (document.hidden ? rest() : soon()));
  addEventListener('online', () => soon());
  addEventListener('pagehide', rest);
  addEventListener('pageshow', (show) => show.persisted && soon());
  tell();
  listen();
  soon(IDLE);
}
