// The subscriptions of this page: their rows, the form, and the suggestions.

import { examples } from "./facts.js";
import * as feed from "./feed.js";
import { aim } from "./push.js";
import { colour } from "./show.js";
import { INVALID_TOPIC, subscription as words, TOPIC_HINT } from "./words.js";

const $ = (id) => document.getElementById(id);

/** The page's topics on one client after another: a new client takes over what the last one was subscribed to. */
export class Topics {
  constructor() {
    this.client = null;
    this.rows = new Map();
    $("subscribe").addEventListener("submit", (event) => {
      event.preventDefault();
      this._submit($("topic").value.trim());
    });
    $("topic").addEventListener("input", () => this._complain(false));
    this._complain(false);
    this._suggest();
    const [first] = examples();
    $("topic").value = first ?? "";
    aim(first ?? null);
  }

  /** Carry on with a new client. */
  use(client) {
    this.client = client;
    for (const [topic, row] of this.rows) row.subscription = this._ask(topic, row);
    this._suggest();
  }

  add(topic) {
    if (!this.rows.has(topic)) {
      const row = { element: this._element(topic), subscription: null, state: "waiting", pushes: 0 };
      this.rows.set(topic, row);
      $("subscriptions").append(row.element);
      row.subscription = this._ask(topic, row);
    } else if (this.rows.get(topic).subscription?.state === "refused") {
      this.rows.get(topic).subscription = this._ask(topic, this.rows.get(topic));
    }
    this.choose(topic);
    this._suggest();
  }

  choose(topic) {
    for (const [other, { element }] of this.rows) {
      element.querySelector(".pick").setAttribute("aria-pressed", String(other === topic));
    }
    aim(topic);
    this._invite();
  }

  _invite() {
    const [topic, row] = [...this.rows].find(([, { element }]) => isChosen(element)) ?? [null, null];
    feed.invite(topic, row?.state);
  }

  welcome() {
    this._suggest();
  }

  _submit(topic) {
    const fits = Stork.core.isTopic(topic);
    this._complain(!fits);
    if (fits) this.add(topic);
  }

  _complain(wrong) {
    $("topic").setAttribute("aria-invalid", String(wrong));
    $("topic-hint").textContent = wrong ? INVALID_TOPIC : TOPIC_HINT;
    $("topic-hint").classList.toggle("bad", wrong);
  }

  _ask(topic, row) {
    this._show(row, { state: "waiting", reason: null });
    if (!this.client) return null;
    const arrived = (push, position, name) => {
      feed.show(push, position, name);
      row.pushes += 1;
      this._mark(row);
    };
    return this.client.subscribe(topic, arrived, {
      onstate: (event) => this._show(row, event),
      onrecovered: (name, ok) => ok || feed.showGap(name),
    });
  }

  _element(topic) {
    const element = $("subscription").content.firstElementChild.cloneNode(true);
    element.dataset.topic = topic;
    element.querySelector(".name").textContent = topic;
    element.querySelector(".swatch").dataset.colour = colour(topic);
    element.querySelector(".pick").addEventListener("click", () => this.choose(topic));
    element.querySelector(".drop").addEventListener("click", () => this._drop(topic));
    return element;
  }

  /** How many pushes have arrived: on the topic's own row, with a flash. */
  _mark({ element, pushes }) {
    const mark = element.querySelector(".pushes");
    mark.textContent = pushes === 1 ? "1 push" : `${pushes} pushes`;
    mark.classList.remove("fresh");
    requestAnimationFrame(() => mark.classList.add("fresh"));
  }

  _show(row, event) {
    const { element } = row;
    row.state = event.reason === "revoked" ? "closed" : event.state;
    if (isChosen(element)) this._invite();
    const { status, why, tone } = words(event, this.client?.session?.authid);
    element.dataset.tone = tone;
    element.querySelector(".status").textContent = status;
    element.querySelector(".why").textContent = why;
    element.querySelector(".why").hidden = !why;
    const drop = element.querySelector(".drop");
    drop.textContent = tone === "bad" ? "Dismiss" : "Unsubscribe";
    drop.setAttribute("aria-label", `${drop.textContent} ${element.dataset.topic}`);
  }

  _drop(topic) {
    const { element, subscription } = this.rows.get(topic);
    this.rows.delete(topic);
    subscription?.unsubscribe();
    const chosen = isChosen(element);
    element.remove();
    const [other] = this.rows.keys();
    if (chosen) this.choose(other ?? topic);
    this._suggest();
    $("topic").focus();
  }

  _suggest() {
    const topics = examples(this.client?.session?.authid).filter((topic) => !this.rows.has(topic));
    $("suggestions").replaceChildren(...topics.map((topic) => {
      const item = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button";
      button.className = "quiet mono";
      button.textContent = `+ ${topic}`;
      button.setAttribute("aria-label", `Subscribe to ${topic}`);
      button.addEventListener("click", () => this.add(topic));
      item.append(button);
      return item;
    }));
  }
}

function isChosen(element) {
  return element.querySelector(".pick").getAttribute("aria-pressed") === "true";
}
