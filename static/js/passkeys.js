/* Passkeys: what a form with data-passkey needs of the browser. Words come from the templates.
   A passkey belongs to a host name, and a number is none: under 127.0.0.1 there are none. */
"use strict";

(() => {
  const forms = document.querySelectorAll("form[data-passkey]");
  const isName = !/^[\d.]+$|:/.test(location.hostname);
  if (!window.PublicKeyCredential || !window.isSecureContext || !isName) {
    for (const note of document.querySelectorAll("[data-passkey-missing]")) note.hidden = false;
    return;
  }

  const bytes = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const named = (keys = []) => keys.map((key) => ({ ...key, id: bytes(key.id) }));

  async function create({ creation_options: { publicKey } }) {
    const made = await navigator.credentials.create({
      publicKey: {
        ...publicKey,
        challenge: bytes(publicKey.challenge),
        user: { ...publicKey.user, id: bytes(publicKey.user.id) },
        excludeCredentials: named(publicKey.excludeCredentials),
        authenticatorSelection: { residentKey: "required", requireResidentKey: true, userVerification: "required" },
      },
    });
    return said(made, { attestationObject: text(made.response.attestationObject) });
  }

  async function get({ request_options: { publicKey } }) {
    const used = await navigator.credentials.get({
      publicKey: {
        ...publicKey,
        challenge: bytes(publicKey.challenge),
        allowCredentials: named(publicKey.allowCredentials),
      },
    });
    const { authenticatorData, signature, userHandle } = used.response;
    return said(used, {
      authenticatorData: text(authenticatorData),
      signature: text(signature),
      userHandle: userHandle && text(userHandle),
    });
  }

  const said = (credential, response) => ({
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment,
    clientExtensionResults: credential.getClientExtensionResults(),
    response: { clientDataJSON: text(credential.response.clientDataJSON), ...response },
  });

  async function options(form) {
    if (!form.dataset.fetch) return JSON.parse(document.getElementById("passkey-options").textContent);
    const answer = await fetch(form.dataset.fetch, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(answer.status);
    return answer.json();
  }

  async function ask(form) {
    const problem = form.querySelector("[role=alert]");
    const button = form.querySelector("button");
    problem.hidden = true;
    button.disabled = true;
    try {
      const given = await (form.dataset.passkey === "create" ? create : get)(await options(form));
      form.elements.credential.value = JSON.stringify(given);
      form.submit();
    } catch {
      problem.textContent = form.dataset.failed;
      problem.hidden = false;
      button.disabled = false;
    }
  }

  for (const form of forms) {
    form.hidden = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      ask(form);
    });
  }
})();
