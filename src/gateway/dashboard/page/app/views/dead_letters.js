// Dead letters: what could not be handled, why, and a way to hand it over again.

import { el, reconcile, setAttribute, setText } from "../dom.js";
import { bytes, count, cut, millis, short } from "../format.js";
import { Action } from "../parts/action.js";
import { Place } from "../parts/notice.js";
import { sentence } from "../states.js";
import { setTime, timeElement } from "../times.js";

const EMPTY = ["No dead letters", "Everything that came could be handled. What cannot be is kept here with its bytes and the reason."];
/** Letters in the document; the newest. */
const SHOWN = 100;
const LONGEST_BODY = 4000;

export class DeadLettersView {
  title = "Dead letters";
  element;
  #model;
  #list;
  #place;
  #total;
  #foot;

  constructor(model) {
    this.#model = model;
    this.#list = el("ul", { class: "letters" });
    this.#foot = el("p", { class: "list-foot" });
    this.#total = el("span", { class: "total", role: "status" });
    this.#place = new Place(el("div", { class: "scroll" }, this.#list, this.#foot));
    this.element = el("section", { class: "view dead-letters", "aria-label": "Dead letters" },
      el("div", { class: "bar" }, el("h1", { tabindex: -1, text: "Dead letters" }), this.#total,
        el("p", { class: "lead", text: "What could not be handled. Replaying hands it to its conversation again." })),
      this.#place.element);
  }

  show() {
    this.#model.deadLetters.loader.request();
  }

  hide() {}

  tick() {
    const { loader } = this.#model.deadLetters;
    const age = Date.now() - (loader.at ?? 0);
    if (loader.loaded && (age > 15_000 || (this.#model.overview.now?.deadLetters !== this.#model.deadLetters.letters.length && age > 3000))) loader.request();
  }

  render() {
    const { letters, more, loader } = this.#model.deadLetters;
    setText(this.#total, loader.loaded ? `${count(letters.length)}${more ? " and more" : ""}` : "");
    this.#place.settle(loader, letters.length === 0, EMPTY);
    reconcile(this.#list, letters.slice(0, SHOWN), ({ id }) => id, (letter) => this.#letter(letter),
      (element) => {
        setTime(element.shown.time, element.shown.at);
        element.shown.replay.allow(this.#model.scope(), element.shown.otherwise);
      });
    const hidden = letters.length - SHOWN;
    setText(this.#foot, hidden > 0 ? `${count(hidden)} older ones are not shown` : "");
  }

  #letter({ id, time, connection, conversation, subscriber, kind, reason, body, bytes: size, isCut }) {
    const shown = {
      at: millis(time),
      time: timeElement({ class: "row-time" }),
      replay: new Action({
        label: "Replay", describe: `Replay dead letter ${id}`, done: "Handed over", announce: this.#model.announce,
        act: () => this.#model.deadLetters.replay(id),
      }),
      otherwise: isCut ? "Not all of its bytes were kept" : null,
    };
    const where = conversation
      ? el("a", { class: "id", href: `#/conversations/${encodeURIComponent(conversation)}`, title: conversation, text: short(conversation) })
      : el("span", { class: "id", text: subscriber ?? "no conversation" });
    const text = bodyOf(body);
    const shownBody = text === null ? null : el("details", {},
      el("summary", { text: `Its ${bytes(size ?? text.length)}${isCut ? ", cut off" : ""}` }), el("pre", { tabindex: 0, "aria-label": "The bytes", text: cut(text, LONGEST_BODY) }));
    const element = el("li", { class: "letter panel" },
      el("div", { class: "letter-head" }, el("b", { text: sentence(String(kind ?? "unknown")) }), where, el("span", { class: "muted", text: `on ${connection}` }), shown.time, shown.replay.element),
      el("p", { class: "reason", text: String(reason ?? "") }), shownBody);
    setAttribute(element, "data-id", id);
    element.shown = shown;
    return element;
  }
}

/** The bytes as text; null where the row has none. */
function bodyOf(body) {
  if (typeof body !== "string") return body ? JSON.stringify(body, null, 2) : null;
  try {
    return new TextDecoder().decode(Uint8Array.from(atob(body), (byte) => byte.charCodeAt(0)));
  } catch {
    return body;
  }
}
