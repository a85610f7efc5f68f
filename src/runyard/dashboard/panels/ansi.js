/**
 * What a terminal would show of a program's output: colours as spans with classes, everything else as plain text.
 *
 * Only "select graphic rendition" is obeyed; every other sequence is taken out, so that output cannot move a cursor, set a
 * title or do anything but be read. Control characters that are left become their pictures (␀, ␇).
 */

/**
 * @typedef {object} Style
 * @property {number | string | null} ink 0 to 15, or a CSS colour
 * @property {number | string | null} ground
 * @property {boolean} isBold
 * @property {boolean} isFaint
 * @property {boolean} isItalic
 * @property {boolean} isUnderlined
 * @property {boolean} isReversed
 */

/** @typedef {{text: string, classes: string, style?: Record<string, string>}} Span */
/** @typedef {{raw: string, before: Style}} Line `before`: the style with which the line begins */

/** @type {Style} */
export const PLAIN = { ink: null, ground: null, isBold: false, isFaint: false, isItalic: false, isUnderlined: false, isReversed: false };

// Sequences that begin with ESC [ (ending in a letter), ESC ] (ending in BEL or ESC \), or another ESC and one character.
const SEQUENCE = /\x1b(?:\[([0-9;:?<=>!]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[PX^_][^\x1b]*(?:\x1b\\)?|[ -/]*[0-~])/g;
const CONTROLS = /[\x00-\x08\x0b-\x1f\x7f]/g;

/**
 * @param {string} text without a newline
 * @param {Style} style at its beginning
 * @returns {{spans: Span[], style: Style}}
 */
export function spansOf(text, style) {
  /** @type {Span[]} */
  const spans = [];
  const add = (/** @type {string} */ piece) => {
    if (piece) spans.push(spanOf(readable(piece), style));
  };
  let end = 0;
  for (const found of text.matchAll(SEQUENCE)) {
    add(text.slice(end, found.index));
    end = found.index + found[0].length;
    if (found[2] === "m") style = restyled(style, found[1]);
  }
  add(text.slice(end));
  return { spans, style };
}

/** The words alone. @param {string} text */
export const plainOf = (text) => readable(text.replace(SEQUENCE, ""));

/** The style after this text. @param {string} text @param {Style} style */
export function styleAfter(text, style) {
  if (!text.includes("\x1b")) return style;
  for (const found of text.matchAll(SEQUENCE)) if (found[2] === "m") style = restyled(style, found[1]);
  return style;
}

/** What is left of a line on which a progress bar was drawn again and again. @param {string} line */
export function lastDrawn(line) {
  if (!line.includes("\r")) return line;
  const pieces = line.split("\r").filter(Boolean);
  return pieces[pieces.length - 1] ?? "";
}

/** @param {string} text */
const readable = (text) => text.replace(CONTROLS, (sign) => String.fromCharCode(sign === "\x7f" ? 0x2421 : 0x2400 + sign.charCodeAt(0)));

/**
 * @param {string} text
 * @param {Style} style
 * @returns {Span}
 */
function spanOf(text, style) {
  const ink = style.isReversed ? (style.ground ?? "reversed") : style.ink;
  const ground = style.isReversed ? (style.ink ?? "reversed") : style.ground;
  const classes = [];
  /** @type {Record<string, string>} */
  const own = {};
  if (ink === "reversed") classes.push("ansi-back");
  else if (typeof ink === "number") classes.push(`ansi-${ink}`);
  else if (ink) own.color = ink;
  if (ground === "reversed") classes.push("ansi-front");
  else if (typeof ground === "number") classes.push(`ansi-on-${ground}`);
  else if (ground) own.backgroundColor = ground;
  if (style.isBold) classes.push("ansi-bold");
  if (style.isFaint) classes.push("ansi-faint");
  if (style.isItalic) classes.push("ansi-italic");
  if (style.isUnderlined) classes.push("ansi-underlined");
  return { text, classes: classes.join(" "), style: Object.keys(own).length ? own : undefined };
}

/**
 * @param {Style} style
 * @param {string} parameters `1;31`
 * @returns {Style}
 */
function restyled(style, parameters) {
  const codes = parameters === "" ? [0] : parameters.split(/[;:]/).map(Number);
  let next = { ...style };
  for (let i = 0; i < codes.length; i += 1) {
    const code = codes[i];
    if (code === 0) next = { ...PLAIN };
    else if (code === 1) next.isBold = true;
    else if (code === 2) next.isFaint = true;
    else if (code === 3) next.isItalic = true;
    else if (code === 4) next.isUnderlined = true;
    else if (code === 7) next.isReversed = true;
    else if (code === 22) next.isBold = next.isFaint = false;
    else if (code === 23) next.isItalic = false;
    else if (code === 24) next.isUnderlined = false;
    else if (code === 27) next.isReversed = false;
    else if (code === 39) next.ink = null;
    else if (code === 49) next.ground = null;
    else if (code >= 30 && code <= 37) next.ink = code - 30;
    else if (code >= 90 && code <= 97) next.ink = code - 82;
    else if (code >= 40 && code <= 47) next.ground = code - 40;
    else if (code >= 100 && code <= 107) next.ground = code - 92;
    else if (code === 38 || code === 48) {
      const [colour, taken] = extended(codes.slice(i + 1));
      next[code === 38 ? "ink" : "ground"] = colour;
      i += taken;
    }
  }
  return next;
}

/**
 * `5;n` of 256 colours, or `2;r;g;b`; and how many numbers that were.
 * @param {number[]} codes
 * @returns {[number | string | null, number]}
 */
function extended(codes) {
  const byte = (/** @type {number} */ value) => Math.min(Math.max(Math.round(value) || 0, 0), 255);
  if (codes[0] === 2) return [`rgb(${byte(codes[1])} ${byte(codes[2])} ${byte(codes[3])})`, 4];
  if (codes[0] !== 5) return [null, codes.length];
  const n = byte(codes[1]);
  if (n < 16) return [n, 2];
  if (n >= 232) return [`rgb(${8 + 10 * (n - 232)} ${8 + 10 * (n - 232)} ${8 + 10 * (n - 232)})`, 2];
  const level = (/** @type {number} */ k) => (k ? 55 + 40 * k : 0);
  return [`rgb(${level(Math.floor((n - 16) / 36))} ${level(Math.floor((n - 16) / 6) % 6)} ${level((n - 16) % 6)})`, 2];
}
