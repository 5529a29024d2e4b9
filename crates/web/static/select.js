// Rows that are ticked: all at once, from one to another, how many. Whether the bulk bar shows is the style's affair. Not here:
// what is done to them; the bar's buttons submit the form that the boxes belong to.
const BOXES = '[data-check]';

let anchor = null; // the box that was changed last

const scope = (element) => element.closest('[data-select]');
const boxes = (part) => [...part.querySelectorAll(BOXES)].filter((box) => !box.disabled);

function count(part) {
  const all = boxes(part);
  const chosen = all.filter((box) => box.checked).length;
  for (const head of part.querySelectorAll('[data-check-all]')) {
    head.checked = chosen > 0 && chosen === all.length;
    head.indeterminate = chosen > 0 && chosen < all.length;
  }
  for (const place of part.querySelectorAll('[data-count]')) place.textContent = chosen.toLocaleString(document.documentElement.lang || undefined);
}

function recount() {
  for (const part of document.querySelectorAll('[data-select]')) count(part);
}

// Takes the ticks away. Were there any?
export function clear(part) {
  const chosen = boxes(part).filter((box) => box.checked);
  for (const box of chosen) box.checked = false;
  anchor = null;
  count(part);
  return chosen.length > 0;
}

// All rows between the box that was changed last and this one become like this one.
function range(part, box) {
  const all = boxes(part);
  const [a, b] = [all.indexOf(anchor), all.indexOf(box)];
  if (a < 0) return;
  for (const between of all.slice(Math.min(a, b), Math.max(a, b) + 1)) between.checked = box.checked;
}

document.addEventListener('click', (click) => {
  const target = click.target;
  const part = scope(target);
  if (!part) return;
  if (target.matches(BOXES)) {
    if (click.shiftKey) range(part, target);
    anchor = target;
    count(part);
  } else if (target.matches('[data-check-all]')) {
    for (const box of boxes(part)) box.checked = target.checked;
    count(part);
  } else if (target.closest('[data-clear]')) {
    clear(part);
  }
});
document.addEventListener('morphed', recount);
// Ticks may come back with the page's history.
addEventListener('pageshow', recount);
