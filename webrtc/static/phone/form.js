/** The form of a call: a flow, its language, and a field for each value that it begins with. */

import {at, make} from "./dom.js";
import {inWords, language, nameOf, t} from "./texts.js";

/**
 * @typedef {object} Param
 * @property {string} name
 * @property {string} kind as in a flow's file: text, digits, count, rupees, ...
 * @property {boolean} optional
 * @property {string[]} options of one_of
 * @property {unknown} sample what the flow's scenarios begin with; null without one
 */

/** @typedef {{flow: string, languages: string[], params: Param[]}} OfferedFlow */

const DIGITS = "[0-9]{1,64}";
const INPUTS = {
  text: {type: "text", maxlength: "500"},
  digits: {type: "text", inputmode: "numeric", pattern: DIGITS, maxlength: "64"},
  count: {type: "number", step: "1"},
  minutes: {type: "number", step: "1", min: "0"},
  rupees: {type: "number", step: "0.01", inputmode: "decimal"},
  percent: {type: "number", step: "any", inputmode: "decimal"},
  date: {type: "date"},
  time: {type: "time"},
  phone: {type: "tel", pattern: "[+]?[0-9 .()\\-]{3,24}", placeholder: "+919876543210"},
  order_id: {type: "text", maxlength: "64", pattern: "[A-Za-z0-9][A-Za-z0-9 .\\/_#\\-]*", placeholder: "ORD-48213"},
};
const UNITS = {rupees: ["₹", ""], percent: ["", "%"], minutes: ["", "min"]};
const NUMBERS = new Set(["count", "minutes", "rupees", "percent"]);
const WIDE = new Set(["text", "list", "phone"]);

/** What is in the form now. */
export class CallForm {
  /** @type {Map<string, OfferedFlow>} */
  #flows = new Map();
  #typed = new Map(); // of fields that go and come back, by flow and name

  constructor() {
    at("flow").addEventListener("change", () => this.#choose());
  }

  /** @param {OfferedFlow[]} flows */
  offer(flows) {
    this.#flows = new Map(flows.map((flow) => [flow.flow, flow]));
    at("flow").replaceChildren(...flows.map(({flow}) => make("option", {value: flow}, inWords(flow))));
    this.#choose();
  }

  /** Draws the fields anew, in the language of the page. */
  redraw() {
    if (this.#flows.size === 0) return;
    this.#keep();
    this.#draw();
  }

  /** @returns {{flow: string, language: string, params: Object<string, unknown>}} */
  get request() {
    const flow = this.#flow;
    const params = {};
    for (const param of flow.params) {
      const value = param.kind === "language" ? at("language").value : this.#value(param);
      if (value !== undefined) params[param.name] = value;
    }
    return {flow: flow.flow, language: at("language").value, params};
  }

  /** Says by its field what is wrong with a value. Returns whether any field was found. */
  blame(faults) {
    let first = null;
    for (const {field, message} of faults) {
      const input = at(`p-${field.replace(/^params\./, "")}`);
      if (!input) continue;
      const id = `${input.id}-fault`;
      at(id)?.remove();
      input.closest(".field").append(make("p", {class: "fault", id}, message));
      input.setAttribute("aria-invalid", "true");
      input.setAttribute("aria-describedby", id);
      first ??= input;
    }
    first?.focus();
    return first !== null;
  }

  get #flow() {
    return this.#flows.get(at("flow").value);
  }

  #choose() {
    const {languages} = this.#flow;
    const wanted = languages.includes(language()) ? language() : languages[0];
    at("language").replaceChildren(
      ...languages.map((tag) => make("option", {value: tag, lang: tag, selected: tag === wanted}, nameOf(tag))),
    );
    at("spoken").hidden = languages.length < 2;
    this.#draw();
  }

  #draw() {
    const params = this.#flow.params.filter((param) => param.kind !== "language");
    at("params").hidden = params.length === 0;
    at("fields").replaceChildren(...params.map((param) => this.#field(param)));
  }

  #keep() {
    for (const input of at("fields").querySelectorAll("[name]")) {
      this.#typed.set(`${at("fields").dataset.flow}/${input.name}`, input.value);
    }
  }

  /** @param {Param} param */
  #field(param) {
    at("fields").dataset.flow = this.#flow.flow;
    const input = this.#input(param);
    const kept = this.#typed.get(`${this.#flow.flow}/${param.name}`);
    if (kept !== undefined) input.value = kept;
    const label = make("label", {for: input.id}, inWords(param.name));
    const about = param.kind === "list" ? t("one_a_line") : "";
    const notes = [about, param.optional ? t("optional") : ""].filter(Boolean).join(", ");
    if (notes) label.append(` (${notes})`);
    const [before, after] = UNITS[param.kind] ?? ["", ""];
    const row = before || after ? make("div", {class: "unit"}) : null;
    if (row) row.append(...[before && make("span", {}, before), input, after && make("span", {}, after)].filter(Boolean));
    return make("div", {class: WIDE.has(param.kind) ? "field wide" : "field"}, label, row ?? input);
  }

  #input({name, kind, optional, options, sample}) {
    const shared = {id: `p-${name}`, name, required: !optional && kind !== "list"};
    if (kind === "one_of" || kind === "yes_no") {
      const choices = kind === "one_of" ? options.map((one) => [one, inWords(one)]) : [["true", t("yes")], ["false", t("no")]];
      if (optional) choices.unshift(["", "–"]);
      return make(
        "select",
        shared,
        ...choices.map(([value, words]) => make("option", {value, selected: value === String(sample ?? "")}, words)),
      );
    }
    if (kind === "list") return make("textarea", {...shared, rows: "3"}, Array.isArray(sample) ? sample.join("\n") : "");
    const value = sample === null || sample === undefined ? "" : String(sample);
    return make("input", {...INPUTS[kind] ?? INPUTS.text, ...shared, value, autocomplete: "off"});
  }

  /** @param {Param} param */
  #value({name, kind, optional}) {
    const text = at(`p-${name}`).value;
    if (kind === "list") return text.split("\n").map((line) => line.trim()).filter(Boolean);
    if (text === "") return optional ? undefined : text;
    if (kind === "yes_no") return text === "true";
    return NUMBERS.has(kind) ? Number(text) : text;
  }
}
