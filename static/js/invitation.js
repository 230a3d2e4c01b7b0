/* The address of an invitation, to the clipboard. Without this file it can be marked and copied by hand. */
"use strict";

document.getElementById("copy").addEventListener("click", async ({ currentTarget: button }) => {
  const address = document.getElementById("address");
  address.select();
  try {
    await navigator.clipboard.writeText(address.value);
  } catch {
    document.execCommand("copy");
  }
  button.textContent = button.dataset.copied;
});
