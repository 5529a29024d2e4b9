// Keeps a page as the server sees it by asking for it again while somebody looks: what changed is put in place, so that focus,
// scroll positions and selected text stay.
import { morph } from './morph.js';

const EVERY = 2000; // ms
const main = document.getElementById('main');

async function again() {
  if (!document.hidden) {
    try {
      const answer = await fetch(location.href, { headers: { accept: 'text/html' } });
      if (answer.ok && !answer.redirected) {
        const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
        const then = page.getElementById('main');
        if (then) morph(main, then);
      }
    } catch {
      // The next one may come through.
    }
  }
  setTimeout(again, EVERY);
}

setTimeout(again, EVERY);
