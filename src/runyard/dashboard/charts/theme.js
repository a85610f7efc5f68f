/** Ticks once the page wears another theme: what a canvas draws has to take its colours anew, after the styles did. */
import { signal } from "@preact/signals";

export const dressed = signal(0);

new MutationObserver(() => (dressed.value += 1)).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
