import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { CurveStore } from "../charts/store.js";
import { Visible } from "../charts/visible.js";

/**
 * What a panel of cards needs: curves that load, a watch on which cards are seen, and the card that fills the window,
 * which Escape makes small again.
 * @param {() => void} [onEnd]
 */
export function useLiveCards(onEnd) {
  const scroller = useRef(/** @type {HTMLElement | null} */ (null));
  const { store, visible } = useMemo(() => ({ store: new CurveStore(), visible: new Visible() }), []);
  const large = useSignal("");
  useEffect(() => {
    visible.start(/** @type {Element} */ (scroller.current));
    const escape = (/** @type {KeyboardEvent} */ event) => event.key === "Escape" && (large.value = "");
    window.addEventListener("keydown", escape);
    return () => {
      window.removeEventListener("keydown", escape);
      visible.stop();
      store.stop();
      onEnd?.();
    };
  }, []);
  return { scroller, store, visible, large };
}
