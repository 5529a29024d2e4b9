// Reading charts: the point under the pointer or the arrow keys, in words; and the slider that shows the page as of another time.
// Not here: drawing (the server does), or what the words are (each point carries its own).
import { load } from './live.js';

const SOON = 150; // ms after the slider's last move

let read = null; // { chart, x }: the place that is read out, if any

// The places of a chart from left to right: [words of x, points there, their middle on the screen].
function places(chart) {
  const found = new Map();
  for (const point of chart.querySelectorAll('[data-x]')) {
    const place = found.get(point.dataset.x);
    if (place) place.points.push(point);
    else found.set(point.dataset.x, { x: point.dataset.x, points: [point] });
  }
  return [...found.values()];
}

function middle(place) {
  const box = place.points[0].getBoundingClientRect();
  return box.left + box.width / 2;
}

function show(chart, place, aloud) {
  for (const point of chart.querySelectorAll('.is-read')) point.classList.remove('is-read');
  const words = chart.querySelector('[data-readout]');
  read = place ? { chart, x: place.x } : null;
  for (const point of place?.points ?? []) point.classList.add('is-read');
  if (!words) return;
  words.setAttribute('aria-live', aloud ? 'polite' : 'off');
  words.textContent = place ? `${place.x}: ${place.points.map((point) => point.dataset.y).join(', ')}` : '';
}

const chartOf = (element) => element.closest?.('[data-chart]');

document.addEventListener('pointermove', ({ target, clientX }) => {
  const chart = chartOf(target);
  if (!chart) {
    if (read && !read.chart.contains(document.activeElement)) show(read.chart, null, false);
    return;
  }
  const nearest = places(chart).reduce((best, place) => {
    const far = Math.abs(middle(place) - clientX);
    return best && best.far <= far ? best : { place, far };
  }, null);
  if (nearest && !(read?.chart === chart && read.x === nearest.place.x)) show(chart, nearest.place, false);
});

document.addEventListener('keydown', (press) => {
  const chart = press.target.matches('[data-chart]') ? press.target : null;
  if (!chart || press.ctrlKey || press.metaKey || press.altKey) return;
  const all = places(chart);
  const at = read?.chart === chart ? all.findIndex((place) => place.x === read.x) : -1;
  const last = all.length - 1;
  const next = { ArrowRight: Math.min(at + 1, last), ArrowLeft: at < 0 ? last : Math.max(at - 1, 0), Home: 0, End: last }[press.key];
  if (next === undefined || last < 0) return;
  press.preventDefault();
  show(chart, all[next], true);
});

document.addEventListener('focusout', ({ target }) => {
  if (target.matches('[data-chart]') && read?.chart === target) show(target, null, false);
});

// What is read out stays so while the chart changes.
document.addEventListener('morphed', () => {
  if (!read) return;
  const { chart, x } = read;
  show(chart, chart.isConnected ? (places(chart).find((place) => place.x === x) ?? null) : null, false);
});

// At its end the slider stands at now, which needs no words in the address.
let timer = 0;
document.addEventListener('input', ({ target }) => {
  if (!target.matches('input[type="range"][data-asof]')) return;
  clearTimeout(timer);
  timer = setTimeout(() => {
    const address = new URL(location.href);
    if (target.value === target.max) address.searchParams.delete('as_of');
    else address.searchParams.set('as_of', target.value);
    history.replaceState(history.state, '', address);
    load();
  }, SOON);
});
