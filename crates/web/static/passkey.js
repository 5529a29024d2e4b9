// Passkeys: registering one, and signing in with one. Not here: any decision; the server makes the challenge and judges the answer.

const bytes = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');

const withIds = (list) => list?.map((one) => ({ ...one, id: bytes(one.id) }));

function creation(options) {
  if (PublicKeyCredential.parseCreationOptionsFromJSON) return PublicKeyCredential.parseCreationOptionsFromJSON(options);
  return { ...options, challenge: bytes(options.challenge), user: { ...options.user, id: bytes(options.user.id) }, excludeCredentials: withIds(options.excludeCredentials) };
}

function request(options) {
  if (PublicKeyCredential.parseRequestOptionsFromJSON) return PublicKeyCredential.parseRequestOptionsFromJSON(options);
  return { ...options, challenge: bytes(options.challenge), allowCredentials: withIds(options.allowCredentials) };
}

// As the browser's own toJSON() writes it.
function written(credential) {
  if (credential.toJSON) return credential.toJSON();
  const { response } = credential;
  const names = ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle'];
  const parts = names.filter((name) => response[name]).map((name) => [name, text(response[name])]);
  return {
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment ?? undefined,
    clientExtensionResults: credential.getClientExtensionResults(),
    response: { ...Object.fromEntries(parts), ...(response.getTransports ? { transports: response.getTransports() } : {}) },
  };
}

// The server's own words for a refusal.
async function post(url, body) {
  const csrf = document.querySelector('meta[name="csrf"]')?.content;
  const headers = { accept: 'application/json', 'content-type': 'application/json', ...(csrf ? { 'X-CSRF-Token': csrf } : {}) };
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body), redirect: 'error' });
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(told.detail ?? told.title ?? '');
  return told;
}

async function go(button) {
  const { passkey, begin, finish, error, failed = '', fields: names = '' } = button.dataset;
  const place = document.getElementById(error);
  button.setAttribute('aria-busy', 'true');
  button.disabled = true;
  if (place) place.hidden = true;
  try {
    // Fields that go along by name, such as a name for the passkey or where to go on.
    const given = (name) => [name, button.form?.elements.namedItem(name)?.value ?? ''];
    const fields = Object.fromEntries(names.split(' ').filter(Boolean).map(given));
    const told = await post(begin, fields);
    const options = told.publicKey ?? told;
    const credential = passkey === 'register' ? await navigator.credentials.create({ publicKey: creation(options) }) : await navigator.credentials.get({ publicKey: request(options) });
    const done = await post(finish, { ...fields, credential: written(credential) });
    location.assign(done.location ?? location.href);
    return;
  } catch (fault) {
    if (place) {
      // The browser's own faults are not for people: canceled, timed out, a key that is known already.
      const words = fault instanceof DOMException || fault instanceof TypeError ? failed : fault.message || failed;
      (place.querySelector('[data-words]') ?? place).textContent = words;
      place.hidden = words === '';
    }
  }
  button.removeAttribute('aria-busy');
  button.disabled = false;
}

// The buttons are there for whoever has passkeys.
function offer() {
  for (const button of document.querySelectorAll('[data-passkey]')) button.hidden = false;
}

if (window.PublicKeyCredential && navigator.credentials) {
  offer();
  document.addEventListener('morphed', offer);
  document.addEventListener('click', ({ target }) => {
    const button = target.closest('[data-passkey]');
    if (button && !button.disabled) go(button);
  });
}
