/** What may follow in a query: fields, settings, metrics, and the values of what stands before. No page in here, so that it is easy to test. */

/** @import {Columns} from "./types.js" */
/** @typedef {{text: string, label: string, hint: string}} Suggestion */

const FIELDS = ["state", "name", "tags", "seed", "experiment", "grid", "kind", "reason", "note", "user", "host", "data", "id", "attempt", "duration_s", "created_at", "started_at", "ended_at", "group", "config_id", "code_id", "fingerprint"];
const STATES = ["COMPLETED", "RUNNING", "QUEUED", "HELD", "FAILED", "OUT_OF_MEMORY", "TIMED_OUT", "STOPPED", "INTERRUPTED", "LOST"];
const MOST = 9;

/** @param {string} key */
const settingWord = (key) => (/^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/.test(key) ? `config.${key}` : `config[${JSON.stringify(key)}]`);

/** A value as the query language writes it. @param {unknown} value */
export function literal(value) {
  if (value === true) return "True";
  if (value === false) return "False";
  if (value === null || value === undefined) return "None";
  return JSON.stringify(value);
}

/**
 * @param {string} text the query
 * @param {number} caret
 * @param {Columns | null} columns
 * @returns {{from: number, found: Suggestion[]}} what replaces the text between `from` and the caret
 */
export function complete(text, caret, columns) {
  const before = text.slice(0, caret);
  const tags = /"([^"]*)$/.exec(before);
  const compared = /((?:config|metrics?)(?:\.[\w.]+|\["[^"]+"\])|\w+)\s*(==|!=|<=?|>=?|\bin)\s*(\[?[^\s\]()]*)$/.exec(before);
  if (compared) {
    const values = valuesOf(compared[1], columns);
    const typed = compared[3].replace(/^\[/, "");
    const from = caret - typed.length;
    return { from, found: match(values.map((each) => ({ text: literal(each), label: literal(each), hint: "" })), typed) };
  }
  if (tags && (before.match(/(?<!\\)"/g) ?? []).length % 2 === 1) {
    if (/(metrics?|config)\["[^"]*$/.test(before)) {
      const isMetric = /metrics?\["[^"]*$/.test(before);
      const keys = isMetric ? columns?.metrics : columns?.config;
      const found = (keys ?? []).map(({ key }) => ({ text: `${key}"]`, label: key, hint: isMetric ? "metric" : "setting" }));
      return { from: caret - tags[1].length, found: match(found, tags[1]) };
    }
    const found = (columns?.tags ?? []).map((tag) => ({ text: `${tag}" in tags`, label: tag, hint: "tag" }));
    return { from: caret - tags[1].length, found: match(found, tags[1]) };
  }
  const word = /[\w.]*$/.exec(before)?.[0] ?? "";
  const rest = before.slice(0, caret - word.length).trimEnd();
  const isAfterOperand = rest !== "" && !/(\band|\bor|\bnot|\()$/.test(rest);
  if (isAfterOperand) {
    const words = /\b(tags|state|name)$/.test(rest) ? ["and ", "or ", "== ", "!= ", "in "] : /(==|!=|<=?|>=?|\bin)\s*\S+$/.test(rest) ? ["and ", "or "] : ["== ", "!= ", "< ", "> ", "<= ", ">= ", "in ", "and ", "or "];
    return { from: caret - word.length, found: match(words.map((each) => ({ text: each, label: each, hint: "" })), word) };
  }
  const all = [
    ...(columns?.config ?? []).map((each) => ({ text: `${settingWord(each.key)} `, label: settingWord(each.key), hint: each.distinct > 1 ? `${each.distinct} values` : literal(each.values[0]) })),
    ...(columns?.metrics ?? []).flatMap((each) => ["last", "max", "min"].map((word) => ({ text: `metric["${each.key}"].${word} `, label: `metric["${each.key}"].${word}`, hint: "metric" }))),
    ...FIELDS.map((each) => ({ text: `${each} `, label: each, hint: "field" })),
    ...(columns?.tags ?? []).map((tag) => ({ text: `"${tag}" in tags `, label: `"${tag}" in tags`, hint: "tag" })),
    { text: "not ", label: "not", hint: "" },
  ];
  return { from: caret - word.length, found: match(all, word) };
}

/** @param {string} field @param {Columns | null} columns @returns {readonly unknown[]} */
function valuesOf(field, columns) {
  if (field === "state") return STATES;
  const key = /^config(?:\.([\w.]+)|\["([^"]+)"\])$/.exec(field);
  if (key) return columns?.config.find((each) => each.key === (key[1] ?? key[2]))?.values ?? [];
  return [];
}

/** @param {Suggestion[]} all @param {string} typed @returns {Suggestion[]} */
function match(all, typed) {
  const word = typed.toLowerCase();
  const ranked = all
    .map((each, i) => ({ each, i, at: each.label.toLowerCase().indexOf(word) }))
    .filter(({ each, at }) => at >= 0 && each.text.trimEnd() !== typed);
  const isStart = (/** @type {{each: Suggestion, at: number}} */ { each, at }) => at === 0 || /[."[]/.test(each.label[at - 1]);
  ranked.sort((a, b) => Number(isStart(b)) - Number(isStart(a)) || a.i - b.i);
  return ranked.slice(0, MOST).map(({ each }) => each);
}

/** The parts of a query with their kinds, for colours. @param {string} text @returns {[string, string][]} */
export function tokens(text) {
  const found = /** @type {[string, string][]} */ ([]);
  const pattern = /("(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?)|(\b\d[\w.]*(?:e[+-]?\d+)?)|\b(and|or|not|in|True|False|None)\b|\b(config|metrics?|tags|state|name|seed)\b|(\s+|[\w.]+|.)/gs;
  for (const [part, quoted, digits, word, field] of text.matchAll(pattern)) {
    found.push([part, quoted !== undefined ? "text" : digits !== undefined ? "value" : word !== undefined ? "word" : field !== undefined ? "field" : ""]);
  }
  return found;
}
