// Says a sentence to those who hear the page instead of seeing it. Not here: what is said; the server words it.

let place = null;

export function say(text) {
  if (!place) {
    place = document.createElement('p');
    place.className = 'vh';
    place.setAttribute('role', 'status');
    document.body.append(place);
  }
  // The same words twice are said twice.
  place.textContent = '';
  setTimeout(() => (place.textContent = text), 50);
}
