/* The pictures of an order: chosen, dropped, pasted or taken from the library, put into order, and judged at once as
   far as a browser can; the server judges again. Uses the helpers of app.js. Words come from the template. */
"use strict";

{
  const slotsHere = () => one("[data-slots]");
  const boxesOf = (slots) => all(".slot-box", slots);
  const boxOf = (element) => element.closest(".slot-box");
  const slotsOf = (element) => element.closest("[data-slots]");
  const upload = (box) => one("input[type=file]", box);
  const isFilled = (box) => box.hasAttribute("data-filled");
  const label = (box) => one(".slot span", box).textContent;
  const inSeries = (slots) => slots.hasAttribute("data-series");
  const words = (slots, name, values = {}) =>
    slots.dataset[name].replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);

  /* --- One slot: a chosen file, or the id of a picture that the server has --------------------------------------- */

  function read(box) {
    if (!isFilled(box)) return null;
    const [image, file] = [one("img", box), upload(box).files[0]];
    return { file, id: one("input[type=hidden]", box).value, src: image?.src, name: image?.alt || file?.name || "" };
  }
  function write(box, content) {
    const files = new DataTransfer();
    if (content?.file) files.items.add(content.file);
    upload(box).files = files.files;
    one("input[type=hidden]", box).value = content?.id ?? "";
    box.toggleAttribute("data-filled", Boolean(content));
    one("img", box)?.remove();
    complain(box, "");
    if (content) upload(box).before(thumbnail(box, content));
  }
  function thumbnail(box, { file, src, name }) {
    const image = Object.assign(new Image(), { alt: name, src: file ? URL.createObjectURL(file) : src });
    if (!file) return image;
    image.onload = image.onerror = () => {
      URL.revokeObjectURL(image.src);
      if (!box.contains(image)) return; // moved on meanwhile
      const { naturalWidth: width, naturalHeight: height } = image;
      const problem = problemOf(box, file, width, height);
      if (problem) complain(box, words(slotsOf(box), problem, { name: file.name, width, height }));
      if (!width) image.remove();
    };
    return image;
  }
  function problemOf(box, file, width, height) {
    const { bytes, side, slenderness } = slotsOf(box).dataset;
    const [least, most] = [Math.min(width, height), Math.max(width, height)];
    if (file.type && !upload(box).accept.split(",").includes(file.type)) return "wrongType";
    if (file.size > Number(bytes)) return "tooLarge";
    if (!width) return "unreadable";
    if (least < Number(side)) return "tooSmall";
    return most < Number(slenderness) * least ? "" : "tooNarrow";
  }
  function complain(box, sentence) {
    const place = one("[data-problem]", box);
    place.textContent = sentence;
    place.hidden = !sentence;
    upload(box).setAttribute("aria-invalid", String(Boolean(sentence)));
    if (sentence) say(`${label(box)}: ${sentence}`);
  }

  /* --- All slots ------------------------------------------------------------------------------------------------- */

  /* In a series @Image2 is the second picture: a free place in between would make it the third. */
  function tidy(slots) {
    const boxes = boxesOf(slots);
    if (inSeries(slots)) {
      const before = boxes.map(read);
      const after = before.filter(Boolean);
      boxes.forEach((box, i) => same(before[i], after[i]) || write(box, after[i]));
    }
    const last = boxes.filter(isFilled).length - 1;
    boxes.forEach((box, i) => {
      for (const button of all("[data-clear-slot], [data-token], [data-move]", box)) button.hidden = !isFilled(box);
      for (const button of all("[data-move]", box)) button.disabled = i === (button.dataset.move < 0 ? 0 : last);
    });
  }
  const same = (one, other) => one?.file === other?.file && one?.id === other?.id;

  function clear(slots, box) {
    write(box, null);
    changed(slots);
    (isFilled(box) ? one("[data-clear-slot]", box) : upload(box)).focus();
    say(words(slots, "removed", { slot: label(box) }));
  }
  function move(slots, button) {
    const boxes = boxesOf(slots);
    const from = boxes.indexOf(boxOf(button));
    const to = from + Number(button.dataset.move);
    exchange(boxes[from], boxes[to]);
    changed(slots);
    const again = one(`[data-move="${button.dataset.move}"]`, boxes[to]);
    (again.disabled ? one(`[data-move]:not(:disabled)`, boxes[to]) : again).focus();
    say(words(slots, "moved", { from: from + 1, to: to + 1 }));
  }
  function swap(slots) {
    exchange(...boxesOf(slots));
    changed(slots);
    say(words(slots, "swapped"));
  }
  function exchange(box, other) {
    const [ours, theirs] = [read(box), read(other)];
    write(box, theirs);
    write(other, ours);
  }
  function changed(slots) {
    one("[data-left-out-note]", slots).hidden = true;
    tidy(slots);
  }

  /* Files go into the slot they were meant for, then into the free ones. */
  function fill(slots, files, first) {
    const boxes = boxesOf(slots);
    const free = boxes.filter((box) => box !== first && !isFilled(box));
    const places = first ? [first, ...free] : free.length || boxes.length > 1 ? free : boxes;
    files.slice(0, places.length).forEach((file, i) => write(places[i], { file, name: file.name }));
    changed(slots);
    leaveOut(slots, files.length - places.length);
  }
  function leaveOut(slots, number) {
    const note = one("[data-left-out-note]", slots);
    note.hidden = number <= 0;
    if (note.hidden) return;
    one("span", note).textContent = words(slots, "leftOut", { number });
    say(all("#params .note:not([hidden])").map((each) => each.textContent.trim()).join(" "));
  }

  /* Heard first and alone: the options do not depend on a file, so they need not be asked for. */
  const chosen = (event) => {
    if (!event.target.matches(".slot input")) return;
    event.stopPropagation();
    const [box, slots, files] = [boxOf(event.target), slotsOf(event.target), [...event.target.files]];
    if (files.length) return fill(slots, files, box);
    write(box, null);
    changed(slots);
  };
  on("change", chosen, { capture: true });
  on("paste", (event) => {
    const pictures = [...(event.clipboardData?.files ?? [])].filter((file) => file.type.startsWith("image/"));
    if (slotsHere() && pictures.length) fill(slotsHere(), pictures);
  });
  for (const name of ["dragover", "dragleave", "drop"]) {
    on(name, (event) => {
      const slot = event.target.closest?.(".slot");
      if (!slot) return;
      if (name !== "dragleave") event.preventDefault();
      slot.classList.toggle("over", name === "dragover");
      const files = name === "drop" ? [...event.dataTransfer.files] : [];
      if (files.length) fill(slotsOf(slot), files, boxOf(slot));
    });
  }

  /* --- When the options change: other slots, the same pictures ---------------------------------------------------- */

  /* What finds no place now is held until there is one again; another press of Generate begins anew. */
  let slots = slotsHere();
  let held = { press: "", contents: [] };
  let spare = [];
  const press = () => one("#composer [name=request_id]")?.value;

  on("htmx:beforeSwap", () => {
    if (slots?.isConnected) held = { press: press(), contents: [...boxesOf(slots).map(read), ...spare] };
  });
  on("htmx:afterSettle", () => {
    const now = slotsHere();
    if (!now || now === slots) return;
    slots = now;
    spare = [];
    if (held.press === press()) place(slots, held.contents);
    tidy(slots);
  });
  function place(slots, contents) {
    const boxes = boxesOf(slots);
    const wanted = slots.hasAttribute("data-named") ? contents : contents.filter(Boolean);
    spare = wanted.slice(boxes.length).filter(Boolean);
    boxes.forEach((box, i) => same(read(box), wanted[i]) || write(box, wanted[i]));
    leaveOut(slots, spare.length);
  }

  /* --- Library: a dialog ------------------------------------------------------------------------------------------ */

  let opener = null;

  on("htmx:afterSwap", (event) => {
    const dialog = one("#dialog");
    if (event.detail.target.id !== "dialog-body") return;
    dialog.scrollTop = 0;
    if (dialog.open) return;
    opener = event.detail.requestConfig?.elt;
    one("#dialog-say").textContent = "";
    dialog.showModal();
    one("#dialog-title").focus();
  });
  on("close", (event) => event.target.id === "dialog" && opener?.focus(), { capture: true }); // it does not bubble
  on("htmx:load", (event) => {
    if (event.detail.elt.matches?.("[data-picked]")) pick(event.detail.elt.dataset.picked, event.detail.elt.dataset);
  });

  /* A slot's own button fills that slot; the button for all of them goes on until every place is taken. */
  function pick(id, { src, name }) {
    const [slots, dialog] = [slotsHere(), one("#dialog")];
    const meant = document.getElementById(one("[data-library]").dataset.slot);
    const box = meant ? boxOf(meant) : boxesOf(slots).find((each) => !isFilled(each));
    const news = one("#dialog-say");
    if (!box) return (news.textContent = words(slots, "full"));
    write(box, { id, src, name });
    const said = words(slots, "chosen", { slot: label(box), name });
    changed(slots);
    news.textContent = said;
    if (!meant && !boxesOf(slots).every(isFilled)) return;
    dialog.close();
    say(said);
  }

  /* --- Prompt: @Image1 where the caret is ------------------------------------------------------------------------- */

  let visited = null; // a prompt that nobody was in has its caret at the start, which nobody chose

  on("focusin", (event) => {
    if (event.target.id === "prompt") visited = event.target;
  });
  function insert(slots, token) {
    const prompt = one("#prompt");
    const end = prompt.value.length;
    const [start, stop] = visited === prompt ? [prompt.selectionStart, prompt.selectionEnd] : [end, end];
    const [before, after] = [prompt.value.slice(0, start), prompt.value.slice(stop)];
    const text = `${/(^|[\s\p{Ps}\p{Pi}])$/u.test(before) ? "" : " "}${token}${/^[\s\p{P}]/u.test(after) ? "" : " "}`;
    prompt.focus();
    prompt.setSelectionRange(start, stop);
    if (!document.execCommand("insertText", false, text)) { // the one way that can be undone
      prompt.setRangeText(text, start, stop, "end");
      prompt.dispatchEvent(new Event("input", { bubbles: true }));
    }
    say(words(slots, "inserted", { token }));
  }

  Object.assign(clicks, {
    "[data-clear-slot]": (button) => clear(slotsOf(button), boxOf(button)),
    "[data-swap-slots]": (button) => swap(slotsOf(button)),
    "[data-move]": (button) => move(slotsOf(button), button),
    "[data-token]": (button) => insert(slotsOf(button), button.dataset.token),
    "[data-pick]": (button) => pick(button.dataset.pick, button.dataset),
  });

  if (slots) tidy(slots);
}
