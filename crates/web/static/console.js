// The entry of every page of the console: brings the others along, and says on the root that scripts run, so that what needs them
// shows (data-js) and what stands in for them goes (.no-js). Not here: what any of them does.
import './live.js';
import './keys.js';
import './form.js';
import './suggest.js';
import './chart.js';
import './passkey.js';
import './password.js';

document.documentElement.setAttribute('data-scripts', '');

// On a phone the navigation lies across the top: the page one is on is to be seen.
const nav = document.getElementById('nav');
const here = nav?.querySelector('[aria-current]');
if (here) nav.scrollLeft = here.offsetLeft - (nav.clientWidth - here.offsetWidth) / 2;

// What scrolls sideways can be reached, and moved, with the keyboard.
function reachable() {
  for (const box of document.querySelectorAll('.table-wrap, .chart-wrap')) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute('tabindex');
  }
}
reachable();
document.addEventListener('morphed', reachable);
window.addEventListener('resize', reachable);
