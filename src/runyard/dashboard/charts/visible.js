/** Which cards are on the screen, so that only these load. */
import { signal } from "@preact/signals";

const NEAR = "160px"; // a card just below the edge is loaded before it is seen

export class Visible {
  constructor() {
    /** Names of what is seen. @type {import("@preact/signals").Signal<ReadonlySet<string>>} */
    this.names = signal(/** @type {ReadonlySet<string>} */ (new Set()));
    /** @type {Map<Element, string>} */
    this.watched = new Map();
    /** @type {IntersectionObserver | null} */
    this.observer = null;
  }

  /** @param {Element} scroller that the cards scroll in */
  start(scroller) {
    this.observer = new IntersectionObserver((entries) => this.see(entries), { root: scroller, rootMargin: NEAR });
    for (const element of this.watched.keys()) this.observer.observe(element);
  }

  stop() {
    this.observer?.disconnect();
    this.observer = null;
  }

  /**
   * @param {Element} element
   * @param {string} name
   * @returns {() => void} ends it
   */
  watch(element, name) {
    this.watched.set(element, name);
    this.observer?.observe(element);
    return () => {
      this.watched.delete(element);
      this.observer?.unobserve(element);
      this.change(new Set(), new Set([name]));
    };
  }

  /** @param {IntersectionObserverEntry[]} entries */
  see(entries) {
    const come = new Set();
    const gone = new Set();
    for (const { target, isIntersecting } of entries) {
      const name = this.watched.get(target);
      if (name !== undefined) (isIntersecting ? come : gone).add(name);
    }
    this.change(come, gone);
  }

  /**
   * @param {ReadonlySet<string>} come
   * @param {ReadonlySet<string>} gone
   */
  change(come, gone) {
    const old = this.names.peek();
    const next = new Set([...old].filter((name) => !gone.has(name)));
    for (const name of come) next.add(name);
    if (next.size !== old.size || [...next].some((name) => !old.has(name))) this.names.value = next;
  }
}
