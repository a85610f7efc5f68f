import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { changed } from "../state.js";

/**
 * The server's answer, kept up to date: asked for when something changed, at most every `pause` ms; the old one stays until the new one is there.
 * @template T
 * @param {(signal: AbortSignal) => Promise<T>} ask
 * @param {readonly unknown[]} inputs asked for at once when one of them changes
 * @param {number} [pause]
 * @returns {{answer: T | null, error: Error | null, again: () => void}}
 */
export function useAnswer(ask, inputs, pause = 1500) {
  const answer = useSignal(/** @type {T | null} */ (null));
  const error = useSignal(/** @type {Error | null} */ (null));
  const again = useRef(() => {});
  useEffect(() => {
    const stop = new AbortController();
    let last = 0;
    /** @type {number | undefined} */
    let timer;
    const load = async () => {
      timer = undefined;
      last = Date.now();
      try {
        const found = await ask(stop.signal);
        if (stop.signal.aborted) return;
        answer.value = found;
        error.value = null;
      } catch (caught) {
        if (!stop.signal.aborted) error.value = /** @type {Error} */ (caught);
      }
    };
    const soon = () => {
      if (timer === undefined) timer = setTimeout(load, Math.max(0, last + pause - Date.now()));
    };
    again.current = load;
    load();
    let isFirst = true;
    const forget = changed.subscribe(() => {
      if (!isFirst) soon();
      isFirst = false;
    });
    return () => {
      forget();
      clearTimeout(timer);
      stop.abort();
    };
  }, inputs);
  return { answer: answer.value, error: error.value, again: () => again.current?.() };
}
