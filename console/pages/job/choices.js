/**
 * Renditions to choose from, as Media Chrome looks for them on a media element: a list with a selected index, -1 for automatic.
 */
export class Choices extends EventTarget {
  #chosen = -1;
  #choose;

  /** @param {(index: number) => void} choose */
  constructor(choose) {
    super();
    this.#choose = choose;
    this.length = 0;
  }

  /** @param {{id: string}[]} items */
  fill(items) {
    for (const [index, item] of items.entries()) this[index] = item;
    this.length = items.length;
    this.dispatchEvent(new Event("addrendition"));
  }

  get selectedIndex() {
    return this.#chosen;
  }

  set selectedIndex(index) {
    this.#chosen = index;
    this.#choose(index);
    this.dispatchEvent(new Event("change"));
  }

  *[Symbol.iterator]() {
    for (let index = 0; index < this.length; index += 1) yield this[index];
  }
}
