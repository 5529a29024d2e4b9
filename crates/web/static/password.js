// A password can be shown while it is typed. It is hidden again when its form is sent, so that no browser keeps it as a text.
const shown = (input, is) => {
  const button = input.parentElement.querySelector('[data-reveal]');
  input.type = is ? 'text' : 'password';
  button.setAttribute('aria-pressed', String(is));
};

function offer() {
  for (const button of document.querySelectorAll('[data-reveal][hidden]')) button.hidden = false;
}
offer();
document.addEventListener('morphed', offer);

document.addEventListener('click', ({ target }) => {
  const button = target.closest('[data-reveal]');
  const input = button && document.getElementById(button.dataset.reveal);
  if (!input) return;
  shown(input, input.type === 'password');
  input.focus();
});

document.addEventListener(
  'submit',
  ({ target }) => {
    for (const button of target.querySelectorAll('[data-reveal][aria-pressed="true"]')) shown(document.getElementById(button.dataset.reveal), false);
  },
  true,
);
