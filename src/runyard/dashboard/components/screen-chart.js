import { useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { linesOf } from "../charts/lines.js";
import { writerOf } from "../charts/numbers.js";
import { Plot } from "../charts/plot.js";
import { palette } from "../charts/shown.js";
import { dressed } from "../charts/theme.js";
import { html } from "../html.js";

/** @import {Curve} from "../charts/curves.js" */
/** @import {Run} from "../types.js" */

const SCALE = 2.2; // of type and lines
const SMOOTHING = 0.5;

/**
 * One metric of a few runs, large and without controls.
 * @param {{metric: string, runs: readonly Run[], curves: import("@preact/signals").ReadonlySignal<ReadonlyMap<string, Curve>>}} props
 */
export function ScreenChart({ metric, runs, curves }) {
  const host = useRef(/** @type {HTMLElement | null} */ (null));
  const plot = /** @type {{current: Plot | null}} */ (useRef(null));
  const latest = useRef(runs);
  latest.current = runs;
  const draw = () => {
    const shown = latest.current.map((run, i) => ({ id: run.id, label: run.name, runIds: [run.id], isGroup: false, colour: i % 7, isDashed: false, state: run.state }));
    const { lines } = linesOf({ shown, curves: curves.peek(), palette: palette.peek(), smoothing: SMOOTHING, groupsAs: "each" });
    plot.current?.show(lines, { x: "step", isLogX: false, isLogY: false, write: writerOf(metric), scale: SCALE }, null);
  };
  useEffect(() => {
    const made = new Plot(/** @type {HTMLElement} */ (host.current), { look: { x: "step", isLogX: false, isLogY: false, write: writerOf(metric), scale: SCALE }, onHover: () => {}, onZoom: () => {} });
    plot.current = made;
    draw();
    return () => {
      plot.current = null;
      made.destroy();
    };
  }, [metric]);
  useEffect(draw, [runs]);
  useSignalEffect(() => {
    curves.value;
    palette.value;
    draw();
  });
  useSignalEffect(() => {
    dressed.value;
    plot.current?.repaint();
  });
  return html`<div class="screen-chart" ref=${host} role="img" aria-label=${`Chart of ${metric}`}></div>`;
}
