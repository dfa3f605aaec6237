/** Building the page. */

/** @param {string} id @returns {HTMLElement} */
export function at(id) {
  return document.getElementById(id);
}

/**
 * An element with attributes and children; texts are texts, never markup.
 * @param {string} tag
 * @param {Object<string, string | boolean | undefined>} [attributes] false and undefined are left out
 * @param {...(Node | string)} children
 */
export function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for pictures. */
export function draw(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

/** Shows these of the page's cards, and hides the others. */
export function show(...ids) {
  for (const card of document.querySelectorAll("main > section")) card.hidden = !ids.includes(card.id);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value !== undefined) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}
