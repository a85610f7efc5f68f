import { signal } from "@preact/signals";

/** Components whose files come after the first view: when one is to be shown, or all of them a moment later. */
export class Later {
  /** @param {Record<string, () => Promise<any>>} files by name; each gives its component */
  constructor(files) {
    this.files = files;
    /** Those that are there. @type {import("@preact/signals").Signal<Record<string, any>>} */
    this.loaded = signal({});
  }

  /** The component, null until its file is there. @param {string} name */
  get(name) {
    return this.loaded.value[name] ?? null;
  }

  /** @param {string} name nothing happens if there is no such file */
  async fetch(name) {
    if (!Object.hasOwn(this.files, name) || name in this.loaded.peek()) return;
    try {
      const component = await this.files[name]();
      this.loaded.value = { ...this.loaded.peek(), [name]: component };
    } catch (error) {
      console.error(`"${name}" cannot be loaded.`, error);
    }
  }

  fetchAll() {
    for (const name of Object.keys(this.files)) this.fetch(name);
  }
}
